/* SPDX-License-Identifier: ISC */
/*
 * values.h - what options and collectors' keys take: numbers, times, amounts
 * of octets, words out of a list; and why a value is refused, in words.
 */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_SHOWN_MAX 100 /* octets of a refused value */
#define REASON_LEN 512      /* room for why it is */

/* How many octets of a refused value of this length to show. */
int value_shown(size_t len);

/* Make text one line, whatever the values in it hold. */
void value_one_line(char *text);

/*
 * Read decimal digits, nothing else, and move *text past them.  0, or -1 if
 * there are none or the number does not fit.
 */
int value_digits(const char **text, uint64_t *n);

/* Whether text is a number from min to max and nothing else. */
bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *n);

/* Parse a number from min to max: 0, or -1 with a reason. */
int value_parse_number(const char *text, uint64_t min, uint64_t max,
    uint64_t *n, char reason[REASON_LEN]);

/* Parse "4096", "64k" or "4M" octets, min to max: 0, or -1 with a reason. */
int value_parse_octets(const char *text, uint64_t min, uint64_t max,
    uint64_t *octets, char reason[REASON_LEN]);

/*
 * Parse "90", "1m30s", "500ms", "2h", "1w" to milliseconds, at most
 * VALUE_TIME_MAX_MS.  0, or -1.
 */
int value_time(const char *text, uint32_t *ms);
#define VALUE_TIME_MAX_MS 2147483647U /* 24 days, as timeouts have it */

/* A word that an option takes. */
struct choice {
	const char *word; /* NULL ends a list */
	uint32_t value;
	bool later; /* not supported yet */
};

/* The row of a word; NULL if there is none. */
const struct choice *choice_find(const struct choice *, const char *word);

/* Fill buf with "a, b or c", those supported; returns how many. */
size_t choice_list(
    const struct choice *, const char *glue, char *buf, size_t len);

/* The value of a word that is supported: 0, or -1 with a reason. */
int choice_value(const struct choice *, const char *word, uint32_t *value,
    char reason[REASON_LEN]);

/* The values of words with `separator` between, or'd: 0, or -1 likewise. */
int choice_values(const struct choice *, const char *words, char separator,
    uint32_t *values, char reason[REASON_LEN]);

#endif
