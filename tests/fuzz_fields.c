/* SPDX-License-Identifier: ISC */
/*
 * fuzz_fields.c - any text as --fields.
 *
 * An octet of 128 or more stands for a name that is known, so that not all
 * inputs are spent on names that are not.
 *
 * A list is taken, or refused with a reason.  From any list that is taken come
 * templates whose lengths are the sums of their fields', as they stand on the
 * wire, and a smallest message that holds each of them; the same list twice
 * chooses nothing else.
 */
#include "bytes.h"
#include "fields.h"
#include "fuzz.h"
#include "message.h"

#define NAMES_MAX 192
#define FIRST_NAME 128 /* the octets that stand for the first names; */
#define ANY_NAME 254   /* ... for the one that the next octet says; */
#define ANY_OCTET 255  /* ... and for the next octet itself */
#define LIST_MAX 4096

static const char *known[NAMES_MAX];
static size_t nknown;

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < nknown; i++)
		if (strcmp(known[i], name) == 0)
			return true;
	return false;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name;

	(void)argc;
	(void)argv;
	for (size_t row = 0; (name = field_name(&row)) != NULL;)
		if (nknown < NAMES_MAX && !is_known(name))
			known[nknown++] = name;
	return 0;
}

static size_t
add_name(char list[LIST_MAX], size_t len, unsigned which)
{
	return len + strlcpy(list + len, known[which % nknown], LIST_MAX - len);
}

/*
 * The list that a script stands for.  A name that is known is a word of its
 * own; only an octet after 255 is put to it.
 */
static char *
list_of(struct rbuf *script)
{
	static char list[LIST_MAX];
	size_t len = 0;
	bool ended = true; /* a word has, or there is none */

	while (rb_left(script) > 0 && len < LIST_MAX / 2) {
		unsigned octet = rb_u8(script);
		bool is_name = octet >= FIRST_NAME && octet != ANY_OCTET;
		bool is_mark = strchr("+-,", (int)octet) != NULL;

		if (!is_mark && octet != ANY_OCTET && (is_name || ended) &&
		    len > 0 && strchr("+-,", list[len - 1]) == NULL)
			list[len++] = ',';
		ended = is_name;
		if (octet == ANY_NAME)
			len = add_name(list, len, rb_u8(script));
		else if (is_name)
			len = add_name(list, len, octet - FIRST_NAME);
		else
			list[len++] =
			    (char)(octet == ANY_OCTET ? rb_u8(script) : octet);
	}
	return text_of((const uint8_t *)list, len);
}

/* The Template Record on the wire: its lengths must be those it is used by. */
static void
check_template(const struct template *t, const struct dialect *d)
{
	uint8_t octets[8 + 8 * TEMPLATE_FIELDS_MAX];
	struct wbuf w = wb_init(octets, sizeof(octets));
	size_t record_len = 0;
	struct rbuf r;

	template_put(t, d->bit, &w);
	require(!w.full && wb_len(&w) == t->template_len);
	r = rb_init(octets, wb_len(&w));
	require(rb_u16(&r) == t->id && t->id >= 256);
	require(rb_u16(&r) == t->nfields);
	for (unsigned i = 0; i < t->nfields; i++) {
		bool enterprise = rb_u16(&r) >= 0x8000;

		record_len += rb_u16(&r);
		require(!enterprise || d->bit == DIALECT_IPFIX);
		if (enterprise)
			require(rb_u32(&r) == 29305); /* RFC 5103 s6.1 */
	}
	require(!r.bad && rb_left(&r) == 0 && record_len == t->record_len);
}

static void
check_dialect(const struct field_choice *fields, const struct dialect *d)
{
	static struct template t[TEMPLATES_MAX];
	size_t least = message_least(d, fields);
	unsigned n = template_all(t, d->bit, fields);

	require(n >= TEMPLATES && n <= TEMPLATES_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (t[i].id == 0)
			continue;
		check_template(&t[i], d);
		require(least == 0 || t[i].record_len >= 4); /* padding */
		require(least == 0 || t[i].record_len < least);
		require(least == 0 || t[i].template_len < least);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct field_choice fields = { .mac = false }, again;
	struct rbuf script = rb_init(data, size);
	unsigned first = rb_u8(&script);
	char reason[REASON_LEN] = "", *list = list_of(&script);

	fields.mac = first & 1;
	fields.biflow = first & 2;
	fields.unit = (enum time_unit)(first >> 2 & 3);
	field_choose_labels(&fields, (first >> 4) % (LABELS_MAX + 1));
	if (fields_parse(&fields, list, reason) != 0) {
		require(*reason != '\0');
	} else {
		again = fields;
		require(fields_parse(&again, list, reason) == 0);
		require(memcmp(again.on, fields.on, sizeof(again.on)) == 0);
		require(memcmp(again.off, fields.off, sizeof(again.off)) == 0);
		fields.needs = field_needs(&fields);
		check_dialect(&fields, &dialect_ipfix);
		if (!fields.biflow)
			check_dialect(&fields, &dialect_netflow9);
		(void)field_misfit(&fields, DIALECT_NF9);
	}
	free(list);
	return 0;
}
