/* SPDX-License-Identifier: ISC */
/*
 * values.c - the values that options take; see values.h.
 *
 * Knows no option: who asks names it in front of the reason.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "values.h"

int
value_shown(size_t len)
{
	return len < VALUE_SHOWN_MAX ? (int)len : VALUE_SHOWN_MAX;
}

void
value_one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int
value_digits(const char **text, uint64_t *n)
{
	const char *at = *text;

	for (*n = 0; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (*n > (UINT64_MAX - digit) / 10)
			return -1;
		*n = *n * 10 + digit;
	}
	if (at == *text)
		return -1;
	*text = at;
	return 0;
}

bool
value_number(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
	return value_digits(&text, n) == 0 && *text == '\0' && *n >= min &&
	       *n <= max;
}

int
value_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *n,
    char reason[REASON_LEN])
{
	if (value_number(text, min, max, n))
		return 0;
	(void)snprintf(reason, REASON_LEN,
	    "give a number from %" PRIu64 " to %" PRIu64, min, max);
	return -1;
}

int
value_parse_octets(const char *text, uint64_t min, uint64_t max,
    uint64_t *octets, char reason[REASON_LEN])
{
	static const struct choice units[] = { { "", 1, false },
		{ "k", 1024, false }, { "K", 1024, false },
		{ "M", 1024 * 1024, false }, { NULL, 0, false } };
	const struct choice *unit = NULL;
	uint64_t n;

	if (value_digits(&text, &n) == 0)
		unit = choice_find(units, text);
	if (unit != NULL && n <= max / unit->value && n * unit->value >= min) {
		*octets = n * unit->value;
		return 0;
	}
	(void)snprintf(reason, REASON_LEN,
	    "give %" PRIu64 " to %" PRIu64 " octets, or use k or M", min, max);
	return -1;
}

int
value_time(const char *text, uint32_t *ms)
{
	static const struct {
		const char *name;
		uint32_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 },
		{ "", 1000 } }; /* the last one always fits */
	uint64_t sum = 0, n;

	do {
		size_t u = 0;

		if (value_digits(&text, &n) != 0)
			return -1;
		while (strncasecmp(
			   text, units[u].name, strlen(units[u].name)) != 0)
			u++;
		if (n > (VALUE_TIME_MAX_MS - sum) / units[u].ms)
			return -1;
		sum += n * units[u].ms;
		text += strlen(units[u].name);
	} while (*text != '\0');
	*ms = (uint32_t)sum;
	return 0;
}

const struct choice *
choice_find(const struct choice *choices, const char *word)
{
	for (; choices->word != NULL; choices++)
		if (strcmp(choices->word, word) == 0)
			return choices;
	return NULL;
}

size_t
choice_list(
    const struct choice *choices, const char *glue, char *buf, size_t len)
{
	size_t total = 0, n = 0;

	for (const struct choice *c = choices; c->word != NULL; c++)
		total += !c->later;
	buf[0] = '\0';
	for (; choices->word != NULL; choices++) {
		if (choices->later)
			continue;
		if (n++ > 0)
			(void)strlcat(buf, n == total ? glue : ", ", len);
		(void)strlcat(buf, choices->word, len);
	}
	return total;
}

int
choice_value(const struct choice *choices, const char *word, uint32_t *value,
    char reason[REASON_LEN])
{
	const struct choice *c = choice_find(choices, word);
	char list[128];

	if (c == NULL) {
		choice_list(choices, " or ", list, sizeof(list));
		(void)snprintf(reason, REASON_LEN,
		    "\"%.*s\" is not known; give %s", VALUE_SHOWN_MAX, word,
		    list);
		return -1;
	}
	if (c->later) {
		size_t n = choice_list(choices, " and ", list, sizeof(list));

		(void)snprintf(reason, REASON_LEN,
		    "not supported yet; only %s %s", list,
		    n == 1 ? "is" : "are");
		return -1;
	}
	*value = c->value;
	return 0;
}

int
choice_values(const struct choice *choices, const char *words, char separator,
    uint32_t *values, char reason[REASON_LEN])
{
	const char separators[] = { separator, '\0' };
	uint32_t sum = 0, value = 0;

	for (size_t len;; words += len + 1) {
		char word[16] = "";

		len = strcspn(words, separators);
		if (len < sizeof(word))
			(void)strlcpy(word, words, len + 1);
		if (choice_value(choices, word, &value, reason) != 0)
			return -1;
		sum |= value;
		if (words[len] == '\0')
			break;
	}
	*values = sum;
	return 0;
}
