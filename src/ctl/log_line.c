/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the daemon's line about a message back. */
#include "ctl/log_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/limits.h"

#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyz_"

/* One escape of encode_log() behind its backslash: \" \\ \xHH. */
static bool take_escape(const char **at, struct buf *value)
{
	struct cursor rest = cursor_over(*at, strnlen(*at, 3));
	char byte;

	if (**at == '"' || **at == '\\')
		return buf_putc(value, *(*at)++);
	if (!cursor_byte(&rest, 'x') || !cursor_hex(&rest, &byte))
		return false;
	*at = rest.at;
	return buf_putc(value, byte);
}

static bool take_quoted(const char **at, struct buf *value)
{
	while (**at != '"') {
		char c = **at;

		if (c == '\0')
			return false;
		(*at)++;
		if (c == '\\' && !take_escape(at, value))
			return false;
		if (c != '\\' && !buf_putc(value, c))
			return false;
	}
	(*at)++;
	return true;
}

/* Up to a blank: bare text, quoted text, or both as in to=2,"a b"@c. */
static bool take_value(const char **at, struct buf *value)
{
	while (**at != '\0' && **at != ' ') {
		char c = *(*at)++;

		if (c == '"' ? !take_quoted(at, value) : !buf_putc(value, c))
			return false;
	}
	return true;
}

static bool take_pair(const char **at, struct log_line *line)
{
	size_t length = strspn(*at, KEY_CHARACTERS);
	struct buf key, value;
	bool good;

	if (length == 0 || (*at)[length] != '=')
		return false;
	buf_init(&key, LIMIT_LOG_RECORD);
	buf_init(&value, LIMIT_LOG_RECORD);
	buf_append(&key, *at, length);
	*at += length + 1;
	good = !key.failed && take_value(at, &value) && strlist_add(&line->keys, buf_text(&key)) &&
		strlist_add(&line->values, buf_text(&value));
	buf_free(&key);
	buf_free(&value);
	return good;
}

/*
 * Where the pairs begin: text of others only comes behind it, and what comes before is the log's.
 */
static const char *find_start(const char *text)
{
	const char *found;

	if (strncmp(text, "id=", 3) == 0)
		return text;
	found = strstr(text, " id=");
	return found == NULL ? NULL : found + 1;
}

bool log_line_parse(const char *text, struct log_line *ret_line)
{
	const char *at = find_start(text);
	struct log_line line = { .logged = NULL };
	bool good = at != NULL;

	*ret_line = line;
	if (!good)
		return false;
	line.logged = strndup(text, (size_t)(at - text));
	while (good && *at != '\0') {
		good = take_pair(&at, &line);
		at += *at == ' ';
	}
	if (good && line.logged != NULL && log_line_value(&line, "action") != NULL &&
		log_line_value(&line, "reason") != NULL) {
		*ret_line = line;
		return true;
	}
	log_line_free(&line);
	*ret_line = line;
	return false;
}

void log_line_free(struct log_line *line)
{
	strlist_free(&line->keys);
	strlist_free(&line->values);
	free(line->logged);
	line->logged = NULL;
}

const char *log_line_value(const struct log_line *line, const char *key)
{
	for (size_t i = 0; i < line->keys.count; i++)
		if (strcmp(line->keys.items[i], key) == 0)
			return strcmp(line->values.items[i], "-") == 0 ? NULL :
									 line->values.items[i];
	return NULL;
}

/* Names hold no comma; an address literal holds colons, what comes behind it none. */
bool log_line_user(const char **at, struct logged_user *ret_user)
{
	size_t length = strcspn(*at, ","), name = length;

	while (name > 0 && (*at)[name - 1] != ':')
		name--;
	if (name < 2 || name > sizeof(ret_user->name) || length - name >= sizeof(ret_user->result))
		return false;
	snprintf(ret_user->name, sizeof(ret_user->name), "%.*s", (int)(name - 1), *at);
	snprintf(ret_user->result, sizeof(ret_user->result), "%.*s", (int)(length - name),
		*at + name);
	*at += length + ((*at)[length] == ',');
	return true;
}
