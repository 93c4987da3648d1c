/* SPDX-License-Identifier: ISC */
/*
 * fields.c - a list of Information Elements by name to a choice; see fields.h.
 *
 * Which names there are is ie.c's.  What is here is how a list is written, and
 * which names come near to one that is not known.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fields.h"
#include "ie.h"

#define NAME_MAX_LEN 40 /* octets; the registry's are shorter, mostly */
#define NEAREST 3       /* names shown for one that is not known */

static char
lower(char letter)
{
	return (char)tolower((unsigned char)letter);
}

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/*
 * How many letters to add, drop or change from one name to the other; no more
 * than a limit, at which it stops to look.
 */
static unsigned
distance(const char *from, const char *to, unsigned limit)
{
	unsigned row[NAME_MAX_LEN + 1], nearest = 0;
	char name[NAME_MAX_LEN + 1];
	size_t len = strlen(to), from_len = strlen(from);

	/* It is their difference in length, at least. */
	if (len > NAME_MAX_LEN || len >= from_len + limit ||
	    from_len >= len + limit)
		return limit;
	for (unsigned i = 0; i <= len; i++) {
		row[i] = i;
		name[i] = lower(to[i]);
	}
	for (; *from != '\0' && nearest < limit; from++) {
		char letter = lower(*from);
		unsigned diagonal = row[0]++, left = row[0];

		nearest = left;
		for (size_t i = 0; i < len; i++) {
			unsigned above = row[i + 1];

			left = least(above + 1, left + 1,
			    diagonal + (letter != name[i]));
			row[i + 1] = left;
			diagonal = above;
			if (left < nearest)
				nearest = left;
		}
	}
	return row[len] < limit ? row[len] : limit;
}

struct near {
	const char *name;
	unsigned far; /* lower is nearer; a name that holds the word is 0 */
};

/* Put a name among the nearest, unless it is there or they are nearer. */
static void
consider(struct near near[NEAREST], const char *name, unsigned far)
{
	size_t at = NEAREST;

	for (size_t i = 0; i < NEAREST; i++)
		if (near[i].name != NULL && strcmp(near[i].name, name) == 0)
			return;
	while (at > 0 && far < near[at - 1].far)
		at--;
	if (at == NEAREST)
		return;
	memmove(&near[at + 1], &near[at], (NEAREST - 1 - at) * sizeof(*near));
	near[at] = (struct near){ name, far };
}

/* Fill buf with ": name, name", those nearest to a word. */
static void
name_nearest(const char *word, char *buf, size_t len)
{
	struct near near[NEAREST];
	const char *name;

	/* With more letters changed than that, it is another name. */
	for (size_t i = 0; i < NEAREST; i++)
		near[i] = (struct near){ NULL, (unsigned)strlen(word) / 2 + 2 };

	for (size_t row = 0; (name = field_name(&row)) != NULL;)
		consider(near, name,
		    strcasestr(name, word) != NULL
			? 0
			: distance(word, name, near[NEAREST - 1].far));
	buf[0] = '\0';
	for (size_t i = 0; i < NEAREST && near[i].name != NULL; i++) {
		(void)strlcat(buf, i == 0 ? "; near it: " : ", ", len);
		(void)strlcat(buf, near[i].name, len);
	}
}

static int
refuse(const char *word, size_t word_len, char reason[REASON_LEN])
{
	char near[NEAREST * (NAME_MAX_LEN + 2) + 16] = "", name[NAME_MAX_LEN];

	if (word_len > 0 && word_len < sizeof(name)) {
		(void)strlcpy(name, word, word_len + 1);
		name_nearest(name, near, sizeof(near));
	}
	(void)snprintf(reason, REASON_LEN,
	    "\"%.*s\" is no element that can be chosen%s; "
	    "softprobe --elements lists all",
	    word_len < NAME_MAX_LEN ? (int)word_len : NAME_MAX_LEN, word, near);
	return -1;
}

int
fields_parse(
    struct field_choice *choice, const char *list, char reason[REASON_LEN])
{
	for (size_t word_len;; list += word_len + 1) {
		bool on = *list != '-';
		char name[NAME_MAX_LEN] = "";

		list += *list == '-' || *list == '+';
		word_len = strcspn(list, ",");
		if (word_len < sizeof(name))
			(void)strlcpy(name, list, word_len + 1);
		if (!field_choose(choice, name, on))
			return refuse(list, word_len, reason);
		if (list[word_len] == '\0')
			return 0;
	}
}
