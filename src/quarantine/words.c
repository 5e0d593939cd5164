/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded words (RFC 2047), decoded for people. */
#include "quarantine/words.h"

#include <iconv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cursor.h"

/* A decoded text, bytes: fields that are shown are far shorter. */
#define MAX_TEXT 65536
/* A character set's name, bytes, with its NUL. */
#define CHARSET_SIZE 64

/*
 * encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
 * (RFC 2047 section 2, RFC 2231 section 5)
 */
struct encoded_word {
	char charset[CHARSET_SIZE];
	char encoding;
	struct cursor text;
};

static bool take_charset(struct cursor *at, char *charset)
{
	struct cursor span;
	size_t length;

	if (!cursor_until(at, '?', &span))
		return false;
	length = cursor_left(&span);
	if (length == 0 || length >= CHARSET_SIZE || memchr(span.at, ' ', length) != NULL)
		return false;
	memcpy(charset, span.at, length);
	charset[length] = '\0';
	charset[strcspn(charset, "*")] = '\0';
	/* "//TRANSLIT" and the like are iconv's own language, not the message's business. */
	return charset[0] != '\0' && strchr(charset, '/') == NULL;
}

static bool take_word(struct cursor *at, struct encoded_word *word)
{
	struct cursor try = *at, encoding;

	if (!cursor_literal(&try, "=?") || !take_charset(&try, word->charset) ||
		!cursor_byte(&try, '?') || !cursor_until(&try, '?', &encoding) ||
		cursor_left(&encoding) != 1 || !cursor_byte(&try, '?') ||
		!cursor_until(&try, '?', &word->text) || !cursor_literal(&try, "?="))
		return false;
	word->encoding = *encoding.at;
	if (strchr("QqBb", word->encoding) == NULL ||
		memchr(word->text.at, ' ', cursor_left(&word->text)) != NULL)
		return false;
	*at = try;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode_q(struct buf *out, struct cursor text)
{
	while (!cursor_at_end(&text)) {
		char c = *text.at++;

		if (c == '=' && cursor_left(&text) >= 2 && hex_value(text.at[0]) >= 0 &&
			hex_value(text.at[1]) >= 0) {
			c = (char)(hex_value(text.at[0]) << 4 | hex_value(text.at[1]));
			text.at += 2;
		} else if (c == '_') {
			c = ' ';
		}
		buf_putc(out, c);
	}
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static void decode_b(struct buf *out, struct cursor text)
{
	unsigned bits = 0;
	int have = 0;

	for (; !cursor_at_end(&text); text.at++) {
		int value = base64_value(*text.at);

		if (value < 0)
			continue;
		bits = (bits << 6 | (unsigned)value) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_putc(out, (char)(bits >> have & 0xff));
		}
	}
}

/* Append `bytes` as UTF-8. False when the character set is unknown or does not fit. */
static bool convert(struct buf *out, const char *charset, const struct buf *bytes)
{
	iconv_t converter = iconv_open("UTF-8", charset);
	char *in = bytes->data, room[512];
	size_t in_left = bytes->length, made = 0;

	if (converter == (iconv_t)-1)
		return false;
	while (in_left > 0) {
		char *at = room;
		size_t left = sizeof(room), before = in_left;

		(void)iconv(converter, &in, &in_left, &at, &left);
		buf_append(out, room, sizeof(room) - left);
		made += sizeof(room) - left;
		if (in_left == before && left == sizeof(room)) {
			in++; /* a byte that is none of this character set */
			in_left--;
			buf_puts(out, "\xef\xbf\xbd");
		}
	}
	iconv_close(converter);
	return made > 0;
}

static bool put_word(struct buf *out, const struct encoded_word *word)
{
	struct buf bytes;
	bool good = true;

	buf_init(&bytes, MAX_TEXT);
	if (word->encoding == 'q' || word->encoding == 'Q')
		decode_q(&bytes, word->text);
	else
		decode_b(&bytes, word->text);
	if (bytes.length > 0)
		good = !bytes.failed && convert(out, word->charset, &bytes);
	buf_free(&bytes);
	return good;
}

char *words_decode(const char *text)
{
	struct cursor at = cursor_over(text, strlen(text));
	bool after_word = false;
	struct buf out;
	char *result;

	buf_init(&out, MAX_TEXT);
	while (!cursor_at_end(&at)) {
		struct encoded_word word;
		struct cursor try = at;

		/* White space between two encoded words is not shown (RFC 2047 section 6.2). */
		if (after_word)
			cursor_blanks(&try);
		if (take_word(&try, &word) && put_word(&out, &word)) {
			at = try;
			after_word = true;
			continue;
		}
		after_word = false;
		buf_putc(&out, *at.at++);
	}
	for (size_t i = 0; i < out.length; i++)
		if (out.data[i] == '\0')
			out.data[i] = '?'; /* must not hide what follows */
	result = out.failed ? NULL : strdup(buf_text(&out));
	buf_free(&out);
	return result;
}
