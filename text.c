/* SPDX-License-Identifier: ISC */
/*
 * text.c - names that others chose, made safe to show; see text.h.
 */
#include <stdint.h>
#include <string.h>

#include "text.h"

size_t
text_printable(const unsigned char *s)
{
	/* By the five highest bits of the first octet. */
	static const char lengths[] = "00001111111111110000000022223340";
	static const uint32_t least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
	size_t n = (size_t)(lengths[s[0] >> 3] - '0');
	uint32_t code = n == 1 ? s[0] : s[0] & 0x7fU >> n;

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fU);
	}
	if (code < least[n] || code == 0x7f || code > 0x10ffff)
		return 0;
	return code >= 0xd800 && code <= 0xdfff ? 0 : n;
}

void
text_json(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	putc('"', out);
	for (; *s != '\0'; s += n > 0 ? n : 1) {
		n = text_printable(s);
		if (n == 0)
			fprintf(out, "\\u%04x", *s < 0x80 ? *s : 0xfffdU);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fwrite(s, 1, n, out);
	}
	putc('"', out);
}

void
text_csv(FILE *out, const char *text)
{
	if (text[strcspn(text, ",\"\r\n")] == '\0') {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putc('"', out);
		putc(*text, out);
	}
	putc('"', out);
}

void
text_clean(char *buf, size_t len, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0;

	while (*s != '\0') {
		size_t n = text_printable(s), step = n > 0 ? n : 1;

		if (used + step >= len)
			break;
		if (n == 0)
			buf[used] = '?';
		else
			memcpy(buf + used, s, n);
		used += step;
		s += step;
	}
	buf[used] = '\0';
}
