/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of a command line, and variables of a defaults file. */
#include "ctl/words.h"

#include <string.h>

#define BLANKS " \t\r\n"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* Longest word and value, bytes. */
#define WORD_SIZE (64 * 1024)

/* Name and value by turns; a later value of a name counts. Empty for a name that is not there. */
static const char *value_of(const struct strlist *variables, const char *name, size_t length)
{
	const char *value = "";

	for (size_t i = 0; i + 1 < variables->count; i += 2)
		if (strlen(variables->items[i]) == length &&
			memcmp(variables->items[i], name, length) == 0)
			value = variables->items[i + 1];
	return value;
}

/*
 * Append the value of the reference $NAME or ${NAME} that *at points to; *at moves to its last
 * byte. False, and nothing done, for every other use of a dollar sign.
 */
static bool take_reference(const char **at, const struct strlist *variables, struct buf *word)
{
	bool braces = (*at)[1] == '{';
	const char *name = *at + 1 + braces;
	size_t length = strspn(name, NAME_CHARACTERS);

	if (length == 0 || (braces && name[length] != '}'))
		return false;
	buf_puts(word, value_of(variables, name, length));
	*at = name + length - 1 + braces;
	return true;
}

/*
 * Append one word without its quotes; *at moves behind it. In double quotes a backslash counts only
 * before " \ $ ` and a line end (sh(1)). Where `variables` is not NULL the text is a script:
 * references are replaced, and the end of a command ends the word. False when a quote is not
 * closed.
 */
static bool take_word(const char **at, const struct strlist *variables, struct buf *word)
{
	const char *ends = variables == NULL ? BLANKS : BLANKS ";&|";
	char quote = '\0';

	for (; **at != '\0' && (quote != '\0' || strchr(ends, **at) == NULL); (*at)++) {
		char c = **at, next = (*at)[1];

		if (c == quote && quote != '\0') {
			quote = '\0';
		} else if (quote == '\0' && (c == '\'' || c == '"')) {
			quote = c;
		} else if (c == '\\' && next == '\n' && quote != '\'') {
			(*at)++; /* the line goes on */
		} else if (c == '\\' && next != '\0' &&
			(quote == '\0' || (quote == '"' && strchr("\"\\$`", next) != NULL))) {
			buf_putc(word, *++*at);
		} else if (c != '$' || quote == '\'' || variables == NULL ||
			!take_reference(at, variables, word)) {
			buf_putc(word, c);
		}
	}
	return quote == '\0' && !word->failed;
}

bool words_split(const char *text, struct strlist *words)
{
	bool good = true;

	for (text += strspn(text, BLANKS); good && *text != '\0'; text += strspn(text, BLANKS)) {
		struct buf word;

		buf_init(&word, WORD_SIZE);
		good = take_word(&text, NULL, &word) && strlist_add(words, buf_text(&word));
		buf_free(&word);
	}
	return good;
}

/* What follows the '=' or '+=' of an assignment that begins here; NULL when none does. */
static const char *assignment(const char *line, const char **ret_name, size_t *ret_length)
{
	line += strspn(line, " \t");
	if (strncmp(line, "export ", 7) == 0)
		line += 7;
	*ret_name = line;
	*ret_length = strspn(line, NAME_CHARACTERS);
	line += *ret_length;
	line += *line == '+';
	return *ret_length > 0 && *line == '=' ? line + 1 : NULL;
}

bool defaults_read(const char *text, struct strlist *variables)
{
	bool good = true;

	while (good && *text != '\0') {
		size_t length;
		const char *name, *given = assignment(text, &name, &length);

		if (given != NULL) {
			struct buf value, copy;

			buf_init(&value, WORD_SIZE);
			buf_init(&copy, WORD_SIZE);
			buf_append(&copy, name, length);
			if (given[-2] == '+')
				buf_puts(&value, value_of(variables, name, length));
			/* A value in quotes may go over several lines. */
			(void)take_word(&given, variables, &value);
			good = !copy.failed && !value.failed &&
				strlist_add(variables, buf_text(&copy)) &&
				strlist_add(variables, buf_text(&value));
			buf_free(&value);
			buf_free(&copy);
			text = given + strspn(given, " \t");
		}
		/* Another command may follow an assignment in the same line. */
		if (given == NULL || *text != ';')
			text += strcspn(text, "\n");
		text += *text != '\0';
	}
	return good;
}

const char *defaults_value(const struct strlist *variables, const char *name)
{
	for (size_t i = variables->count; i >= 2; i -= 2)
		if (strcmp(variables->items[i - 2], name) == 0)
			return variables->items[i - 1];
	return NULL;
}
