/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded words (RFC 2047), decoded for people. */
#include "quarantine/words.h"

#include <iconv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "protocol/encoded_word.h"

/* A decoded text, bytes: fields that are shown are far shorter. */
#define MAX_TEXT 65536
/* A character set's name, bytes, with its NUL. */
#define CHARSET_SIZE 64

/*
 * The name of a word's character set, without its language. False when the word is not as RFC 2047
 * has it: such words are shown as they stand.
 */
static bool charset_of(const struct encoded_word *word, char *charset)
{
	size_t length = cursor_left(&word->charset);

	if (length >= CHARSET_SIZE || memchr(word->charset.at, ' ', length) != NULL ||
		cursor_at_end(&word->text) ||
		memchr(word->text.at, ' ', cursor_left(&word->text)) != NULL)
		return false;
	memcpy(charset, word->charset.at, length);
	charset[length] = '\0';
	charset[strcspn(charset, "*")] = '\0';
	/* "//TRANSLIT" and the like are iconv's own language, not the message's business. */
	return charset[0] != '\0' && strchr(charset, '/') == NULL;
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
		if (in_left == before) {
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
	char charset[CHARSET_SIZE];
	struct buf bytes;
	bool good;

	if (!charset_of(word, charset))
		return false;
	buf_init(&bytes, MAX_TEXT);
	encoded_word_decode(word, &bytes);
	good = !bytes.failed && (bytes.length == 0 || convert(out, charset, &bytes));
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
		if (encoded_word_take(&try, &word) && put_word(&out, &word)) {
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
