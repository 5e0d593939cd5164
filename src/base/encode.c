/* SPDX-License-Identifier: BSD-2-Clause */
/* Where untrusted text leaves: the header, log, JSON and terminal encoders. */
#include "base/encode.h"

#include <stdint.h>
#include <string.h>

#include "base/limits.h"

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void encode_plain(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text >= 0x7f)
			*text = '?';
}

bool encode_header(struct buf *out, const char *text, size_t length)
{
	bool gap = false;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_blank(c)) {
			gap = true;
			continue;
		}
		if (gap && !buf_putc(out, ' '))
			return false;
		gap = false;
		if (!buf_putc(out, c > 0x20 && c < 0x7f ? (char)c : '?'))
			return false;
	}
	return !out->failed;
}

static bool bare_in_log(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

/* One byte inside a quoted value. */
static bool log_byte(struct buf *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		return buf_printf(out, "\\%c", c);
	if (c < 0x20 || c > 0x7e)
		return buf_printf(out, "\\x%02x", c);
	return buf_putc(out, (char)c);
}

bool encode_log(struct buf *out, const char *text, size_t length)
{
	size_t start = out->length, bare = 0;

	while (bare < length && bare_in_log((unsigned char)text[bare]))
		bare++;
	if (length > 0 && bare == length && length <= LIMIT_LOG_VALUE)
		return buf_append(out, text, length);
	buf_putc(out, '"');
	for (size_t i = 0; i < length; i++) {
		if (out->length - start > LIMIT_LOG_VALUE - 8) {
			buf_puts(out, "...");
			break;
		}
		log_byte(out, (unsigned char)text[i]);
	}
	return buf_putc(out, '"');
}

/*
 * The length of the well-formed UTF-8 sequence at `s` (RFC 3629 section 4: no overlong form, no
 * surrogate, nothing above U+10FFFF) and its code point; 0 when the first byte is invalid.
 */
static size_t utf8_sequence(const unsigned char *s, size_t left, uint32_t *ret_point)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t point;

	if (length == 1) {
		*ret_point = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4 || left < length)
		return 0;
	point = s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < smallest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return length;
}

bool encode_utf8(struct buf *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t point = 0;
		size_t step = utf8_sequence((const unsigned char *)text + i, length - i, &point);

		if (step == 0 || point == 0) {
			buf_puts(out, "\xef\xbf\xbd");
			i++;
		} else {
			buf_append(out, text + i, step);
			i += step;
		}
	}
	return !out->failed;
}

/*
 * Characters that can change what a reviewer sees without being seen: controls, zero-width and
 * bidirectional formatting, line and paragraph separators, tags, private use, non-characters.
 */
static bool is_hidden(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x00, 0x1f },
		{ 0x7f, 0x9f },
		{ 0xad, 0xad },
		{ 0x034f, 0x034f },
		{ 0x061c, 0x061c },
		{ 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },
		{ 0x180b, 0x180f },
		{ 0x200b, 0x200f },
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f },
		{ 0x3164, 0x3164 },
		{ 0xe000, 0xf8ff },
		{ 0xfdd0, 0xfdef },
		{ 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb },
		{ 0xfffe, 0xffff },
		{ 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
		{ 0xf0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return false;
}

bool encode_terminal(struct buf *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t point = 0;
		size_t step = utf8_sequence((const unsigned char *)text + i, length - i, &point);

		if (step == 0 || (step == 1 && is_hidden(point)))
			buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text[i]);
		else if (is_hidden(point))
			buf_printf(out, "\\u{%x}", (unsigned)point);
		else
			buf_append(out, text + i, step);
		i += step == 0 ? 1 : step;
	}
	return !out->failed;
}
