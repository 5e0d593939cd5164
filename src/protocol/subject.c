/* SPDX-License-Identifier: BSD-2-Clause */
/* Putting the administrator's tag in front of a Subject. */
#include "protocol/subject.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/encode.h"
#include "base/limits.h"
#include "protocol/base64.h"
#include "protocol/encoded_word.h"
#include "protocol/field.h"

/* Longest tag, bytes of UTF-8, and how much of a decoded Subject is compared with it. */
#define TAG_MAX 512
/* Longest text of a whole new value, bytes. */
#define TEXT_MAX 2000
/* Content bytes of one encoded word: 75 - strlen("=?UTF-8?B?" "?=") is 63, 60 of base64 are 45. */
#define WORD_BYTES 45

static bool is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool skip_white(struct cursor *rest)
{
	const char *begin = rest->at;

	while (rest->at < rest->end && is_white(*rest->at))
		rest->at++;
	return rest->at > begin;
}

/* The beginning of a value as a reader sees it; white space between encoded words is not seen. */
static void decode(struct buf *out, struct cursor rest)
{
	bool after_word = false;

	while (rest.at < rest.end && !out->failed && out->length < TAG_MAX * 2) {
		struct encoded_word word;
		bool white = skip_white(&rest), is_word = encoded_word_take(&rest, &word);

		if (white && !(is_word && after_word))
			buf_putc(out, ' ');
		after_word = is_word;
		if (is_word)
			encoded_word_decode(&word, out);
		for (; !is_word && rest.at < rest.end && !is_white(*rest.at); rest.at++)
			buf_putc(out, *rest.at);
	}
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Does `text` begin with `tag`, white space and ASCII case aside? */
static bool begins_with(struct cursor text, struct cursor tag)
{
	skip_white(&text);
	skip_white(&tag);
	while (tag.at < tag.end) {
		if (is_white(*tag.at)) {
			bool white = skip_white(&text);

			skip_white(&tag);
			if (!white && tag.at < tag.end)
				return false;
		} else if (text.at == text.end || lower(*text.at++) != lower(*tag.at++)) {
			return false;
		}
	}
	return true;
}

/* SUBJECT_TAGGED when it is to be tagged. */
static enum subject_result look_for_tag(struct cursor value, const char *tag)
{
	AUTO(buf_free) struct buf seen = { 0 };

	buf_init(&seen, LIMIT_ADDED_HEADER * 16);
	decode(&seen, value);
	if (seen.failed)
		return SUBJECT_FAILED;
	return begins_with(
		       cursor_over(buf_text(&seen), seen.length), cursor_over(tag, strlen(tag))) ?
		SUBJECT_ALREADY :
		SUBJECT_TAGGED;
}

static bool is_plain(const char *tag)
{
	for (const char *c = tag; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			return false;
	return strstr(tag, "=?") == NULL;
}

/* UTF-8 as encoded words, none of which ends inside a character (RFC 2047 section 5). */
static bool put_words(struct buf *out, const char *text, size_t length)
{
	AUTO(buf_free) struct buf utf8 = { 0 };
	size_t from = 0, to;

	buf_init(&utf8, TEXT_MAX * 3 + 1);
	encode_utf8(&utf8, text, length);
	for (; from < utf8.length; from = to) {
		to = from + WORD_BYTES < utf8.length ? from + WORD_BYTES : utf8.length;
		while (to < utf8.length && ((unsigned char)utf8.data[to] & 0xc0) == 0x80)
			to--;
		buf_puts(out, from > 0 ? "\n =?UTF-8?B?" : "=?UTF-8?B?");
		base64_put(out, utf8.data + from, to - from);
		buf_puts(out, "?=");
	}
	return !utf8.failed && !out->failed;
}

/*
 * The tag and what parts it from the rest. White space between two encoded words is not shown, so
 * there the blank goes into the tag's own word.
 */
static bool put_tag(struct buf *out, const char *tag, struct cursor rest)
{
	char text[TAG_MAX + 1];
	size_t length = strlen(tag);
	struct cursor ahead = rest;

	if (is_plain(tag))
		return buf_puts(out, tag);
	if (length > TAG_MAX - 1)
		length = TAG_MAX - 1;
	memcpy(text, tag, length);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
	if (cursor_literal(&ahead, "=?"))
		text[length++] = ' ';
	return put_words(out, text, length);
}

/* The old value, which does not end in white space, without CR; a LF that is no fold becomes one. */
static void put_rest(struct buf *out, struct cursor rest)
{
	for (; rest.at < rest.end; rest.at++) {
		if (*rest.at != '\r')
			buf_putc(out, *rest.at);
		if (*rest.at == '\n' && rest.at[1] != ' ' && rest.at[1] != '\t')
			buf_putc(out, ' ');
	}
}

enum subject_result subject_tag(struct buf *out, const char *value, const char *tag)
{
	size_t begin = out->length, length = value == NULL ? 0 : strlen(value);
	struct cursor rest = cursor_over(value == NULL ? "" : value, length);
	enum subject_result result = tag[0] == '\0' ? SUBJECT_ALREADY : look_for_tag(rest, tag);

	if (result != SUBJECT_TAGGED)
		return result;
	skip_white(&rest);
	while (rest.end > rest.at && is_white(rest.end[-1]))
		rest.end--;
	buf_putc(out, ' ');
	if (!put_tag(out, tag, rest))
		return SUBJECT_FAILED;
	if (!cursor_at_end(&rest)) {
		size_t line = strcspn(rest.at, "\n") + out->length - begin + strlen("Subject: ");

		buf_puts(out, line > LIMIT_ADDED_LINE ? "\n " : " ");
		put_rest(out, rest);
	}
	return out->failed ? SUBJECT_FAILED : SUBJECT_TAGGED;
}

bool subject_encode(struct buf *out, const char *text, size_t length)
{
	char copy[TEXT_MAX + 1];

	if (length > TEXT_MAX)
		length = TEXT_MAX;
	for (size_t i = 0; i < length; i++)
		copy[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	copy[length] = '\0';
	/* A plain text of more than a line needs folds, which field_value_put() makes. */
	if (is_plain(copy))
		return field_value_put(out, strlen("Subject"), copy, length);
	buf_putc(out, ' ');
	return put_words(out, copy, length);
}
