/* SPDX-License-Identifier: ISC */
/*
 * fuzz_picture.c - any text as two pictures for softprobectl top, the second
 * behind a NUL.
 *
 * A picture is taken or refused.  Between two that are taken there are rows in
 * order, each of another name, and no name has an octet that a terminal would
 * act on.
 */
#include "fuzz.h"
#include "picture.h"

/* A picture of what stands before the first NUL; the rest is left to others. */
static struct picture *
take(const uint8_t **data, size_t *size)
{
	size_t len = strnlen((const char *)*data, *size);
	char *text = malloc(len + 1);
	struct picture *p;

	require(text != NULL);
	memcpy(text, *data, len);
	text[len] = '\0';
	p = picture_parse(text);
	free(text);
	len += len < *size;
	*data += len;
	*size -= len;
	return p;
}

static uint64_t
measure(const struct picture_row *row, bool by_packets)
{
	return by_packets ? row->packets : row->sent + row->received;
}

static void
check_rows(const struct picture *now, const struct picture *before,
    enum picture_kind kind, bool by_packets)
{
	struct picture_row *row;
	size_t n = picture_rows(now, before, kind, by_packets, &row);

	require(row != NULL && n <= 2 * picture_sums(now).kept);
	for (size_t i = 0; i < n; i++) {
		require_one_line(row[i].name[0]);
		require((kind == PICTURE_HOSTS) == (*row[i].protocol == '\0'));
		require((kind == PICTURE_FLOWS) == (*row[i].name[1] != '\0'));
		if (kind == PICTURE_FLOWS)
			require_one_line(row[i].name[1]);
		if (kind != PICTURE_HOSTS)
			require_one_line(row[i].protocol);
		require(i == 0 || measure(&row[i - 1], by_packets) >=
				      measure(&row[i], by_packets));
	}
	free(row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct picture *before = take(&data, &size);
	struct picture *now = take(&data, &size);

	for (int kind = 0; now != NULL && kind < 2 * PICTURE_KINDS; kind++)
		check_rows(
		    now, before, (enum picture_kind)(kind / 2), kind % 2 == 1);
	picture_free(before);
	picture_free(now);
	return 0;
}
