/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of a command line, and variables of a defaults file. */
#include "ctl/words.h"

#include <string.h>

#define BLANKS " \t\r\n"

/* Longest word and value, bytes. */
#define WORD_SIZE (64 * 1024)

/*
 * Append one word without its quotes; *at moves behind it. In double quotes a backslash counts only
 * before " \ $ ` (sh(1)). False when a quote is not closed.
 */
static bool take_word(const char **at, struct buf *word)
{
	char quote = '\0';

	for (; **at != '\0' && (quote != '\0' || strchr(BLANKS, **at) == NULL); (*at)++) {
		char c = **at, next = (*at)[1];

		if (c == quote && quote != '\0')
			quote = '\0';
		else if (quote == '\0' && (c == '\'' || c == '"'))
			quote = c;
		else if (c == '\\' && next != '\0' &&
			(quote == '\0' || (quote == '"' && strchr("\"\\$`", next) != NULL)))
			buf_putc(word, *++*at);
		else
			buf_putc(word, c);
	}
	return quote == '\0' && !word->failed;
}

bool words_split(const char *text, struct strlist *words)
{
	bool good = true;

	for (text += strspn(text, BLANKS); good && *text != '\0'; text += strspn(text, BLANKS)) {
		struct buf word;

		buf_init(&word, WORD_SIZE);
		good = take_word(&text, &word) && strlist_add(words, buf_text(&word));
		buf_free(&word);
	}
	return good;
}

/* Append `value` with $name and ${name} replaced by `before`. */
static void expand(const char *value, const char *name, const char *before, struct buf *out)
{
	size_t length = strlen(name);

	while (*value != '\0') {
		const char *at = value + 1;
		bool braces = value[0] == '$' && *at == '{';

		at += braces;
		if (value[0] == '$' && strncmp(at, name, length) == 0 &&
			(!braces || at[length] == '}')) {
			buf_puts(out, before);
			value = at + length + braces;
		} else {
			buf_putc(out, *value++);
		}
	}
}

/* Does an assignment to `name` begin here? What follows '=' and whether it appends. */
static const char *assignment(const char *line, const char *name, bool *ret_append)
{
	size_t length = strlen(name);

	line += strspn(line, " \t");
	if (strncmp(line, "export ", 7) == 0)
		line += 7;
	if (strncmp(line, name, length) != 0)
		return NULL;
	line += length;
	*ret_append = *line == '+';
	line += *ret_append;
	return *line == '=' ? line + 1 : NULL;
}

bool defaults_value(const char *text, const char *name, struct buf *out)
{
	struct buf value, raw;
	bool found = false, append;

	buf_init(&value, WORD_SIZE);
	buf_init(&raw, WORD_SIZE);
	while (*text != '\0') {
		const char *given = assignment(text, name, &append);

		if (given != NULL) {
			struct buf next;

			found = true;
			buf_clear(&raw);
			/* A value in quotes may go over several lines. */
			(void)take_word(&given, &raw);
			buf_init(&next, WORD_SIZE);
			if (append)
				buf_puts(&next, buf_text(&value));
			expand(buf_text(&raw), name, buf_text(&value), &next);
			buf_free(&value);
			value = next;
			text = given;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	buf_puts(out, buf_text(&value));
	buf_free(&value);
	buf_free(&raw);
	return found;
}
