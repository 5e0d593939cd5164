/* SPDX-License-Identifier: BSD-2-Clause */
/* Large tables in plain text files, one entry a line. */
#include "config/table_file.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "config/file.h"
#include "config/names.h"

bool table_take_word(struct cursor *line, const char *stops, char *out, size_t out_size)
{
	size_t length = 0;

	while (line->at + length < line->end && strchr(stops, line->at[length]) == NULL)
		length++;
	if (length == 0 || length >= out_size)
		return false;
	memcpy(out, line->at, length);
	out[length] = '\0';
	line->at += length;
	return true;
}

bool table_line_ends(struct cursor *line)
{
	cursor_blanks(line);
	return cursor_at_end(line) || *line->at == '#';
}

/* The normalised key of a name, which is an address when it holds an '@'. */
static bool name_key(const char *name, char *key, size_t size)
{
	char local[LIMIT_ADDRESS], domain[LIMIT_ADDRESS];

	if (strchr(name, '@') == NULL)
		return domain_normalise(name, key, size);
	return address_normalise(name, local, domain, sizeof(local)) &&
		snprintf(key, size, "%s@%s", local, domain) < (int)size;
}

/* An address may have a local part in quotes with blanks in it. */
static bool take_name(struct cursor *line, char *out, size_t out_size)
{
	const char *end = line->at;
	bool quoted = false;

	for (; end < line->end && (quoted || strchr(" \t#", *end) == NULL); end++) {
		if (*end == '"')
			quoted = !quoted;
		else if (quoted && *end == '\\' && end + 1 < line->end)
			end++;
	}
	if (end == line->at || (size_t)(end - line->at) >= out_size)
		return false;
	memcpy(out, line->at, (size_t)(end - line->at));
	out[end - line->at] = '\0';
	line->at = end;
	return true;
}

/* Control bytes mean nothing in this file; a NUL would hide what follows it. */
static bool has_control(const struct cursor *line)
{
	for (const char *c = line->at; c < line->end; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return true;
	return false;
}

static int check_line(const struct cursor *line, struct err *err)
{
	if (cursor_left(line) > TABLE_LINE_MAX)
		return err_set(err, "the line is longer than %d bytes; shorten it", TABLE_LINE_MAX);
	if (has_control(line))
		return err_set(err, "a control byte stands in this line; remove it");
	return 0;
}

/* The next line; the last one may lack its line end. */
static bool next_line(struct cursor *rest, struct cursor *ret_line)
{
	if (cursor_at_end(rest))
		return false;
	if (cursor_line(rest, ret_line))
		return true;
	*ret_line = *rest;
	rest->at = rest->end;
	return true;
}

size_t table_count_lines(const struct buf *text)
{
	const char *at = buf_text(text), *end = at + text->length;
	size_t lines = 1;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		lines++;
		at++;
	}
	return lines;
}

bool table_take_name(struct cursor *line, char *key, size_t size)
{
	char name[LIMIT_ADDRESS];

	return take_name(line, name, sizeof(name)) && name_key(name, key, size);
}

void table_parse(
	const struct buf *text, table_line *take, void *context, struct complaints *complaints)
{
	struct cursor rest = cursor_over(buf_text(text), text->length);
	struct cursor line;

	for (unsigned number = 1; next_line(&rest, &line) && !complaints_full(complaints);
		number++) {
		struct err err = ERR_INIT;

		if (check_line(&line, &err) == 0 && !table_line_ends(&line))
			take(&line, number, context, &err);
		if (err.text[0] != '\0')
			complain(complaints, number, "%s", err.text);
	}
}

bool table_read(const char *path, struct buf *text, struct complaints *complaints)
{
	struct err err = ERR_INIT;

	if (config_file_read(path, TABLE_FILE_MAX, text, &err) == 0)
		return true;
	complain(complaints, 0, "%s", err.text);
	return false;
}
