/* SPDX-License-Identifier: ISC */
/*
 * fields.h - a list of Information Elements by name (--fields) to a choice.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include "values.h" /* REASON_LEN */

struct field_choice; /* ie.h */

/*
 * Parse "[+]name,-name,...": elements that records shall have, and shall not.
 * Lists add up, and the last word on a name holds.  Returns 0, or -1 with a
 * reason that names what is not known and what comes near.
 */
int fields_parse(
    struct field_choice *, const char *list, char reason[REASON_LEN]);

#endif
