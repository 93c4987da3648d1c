/* SPDX-License-Identifier: ISC */
/*
 * capsicum.h - in the place of FreeBSD's.
 */
#include "../calls.h"
