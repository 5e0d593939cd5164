/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain table: policies of many domains, one line each. */
#include "config/domain_table.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"
#include "config/file.h"
#include "config/options.h"
#include "config/policy_index.h"
#include "config/settings_private.h"
#include "config/values.h"

/* `name` or `name=` without blanks; the position moves behind it. */
static bool take_word(struct cursor *line, const char *stops, char *out, size_t out_size)
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

/* Text in double quotes, in which only \" and \\ are escapes. */
static bool take_quoted(struct cursor *line, char *out, size_t out_size)
{
	const char *at = line->at;

	if (!cursor_byte(line, '"'))
		return false;
	while (line->at < line->end && *line->at != '"' && out_size > 1) {
		if (*line->at == '\\') {
			line->at++;
			if (line->at == line->end || (*line->at != '"' && *line->at != '\\'))
				break;
		}
		*out++ = *line->at++;
		out_size--;
	}
	*out = '\0';
	if (cursor_byte(line, '"') && (cursor_at_end(line) || strchr(" \t#", *line->at) != NULL))
		return true;
	line->at = at;
	return false;
}

static bool take_value(struct cursor *line, char *out, size_t out_size)
{
	return take_quoted(line, out, out_size) || take_word(line, " \t\"#", out, out_size);
}

static bool at_comment_or_end(struct cursor *line)
{
	cursor_blanks(line);
	return cursor_at_end(line) || *line->at == '#';
}

/* One `option=value` of the entry. */
static int take_option(
	struct cursor *line, struct policy_entry *entry, struct strlist *pool, struct err *err)
{
	char name[64], value[2048];
	const struct option *option;
	struct err wrong = ERR_INIT;

	if (!take_word(line, "= \t", name, sizeof(name)) || !cursor_byte(line, '=') ||
		!take_value(line, value, sizeof(value)))
		return err_set(err,
			"write option=value without blanks around '='; put a value with "
			"blanks in double quotes");
	option = option_find(SECTION_DOMAIN, name);
	if (option == NULL) {
		const char *near = option_suggest(SECTION_DOMAIN, name);

		return err_set(err, "unknown option '%s'; %s%s%s", name,
			near != NULL ? "did you mean '" : "see spambridge.conf(5)",
			near != NULL ? near : "", near != NULL ? "'?" : "");
	}
	if (option->not_yet)
		return err_set(err, "%s is not supported by this version; remove it", name);
	if ((entry->fields.set & 1u << option->field) != 0)
		return err_set(err, "%s is set a second time; remove one", name);
	if ((option_is_list(option) ? value_parse_list : value_parse)(
		    option, value, &entry->fields, pool, &wrong) < 0)
		return err_set(err, "%s: %s", name, wrong.text);
	entry->fields.set |= 1u << option->field;
	return 0;
}

/* The normalised key of a name, which is an address when it holds an '@'. */
static bool entry_key(const char *name, char *key, size_t size)
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

static int parse_line(struct cursor *line, struct policy_entry *entry, struct policy_index *index,
	struct strlist *pool, struct err *err)
{
	char name[LIMIT_ADDRESS], key[2 * LIMIT_ADDRESS];

	if (!take_name(line, name, sizeof(name)) || !entry_key(name, key, sizeof(key)))
		return err_set(err, "no domain or address begins this line; write example.com, "
				    ".example.com or user@example.com");
	while (!at_comment_or_end(line))
		if (take_option(line, entry, pool, err) < 0)
			return -1;
	if (!policy_fields_ordered(&entry->fields, err))
		return -1;
	entry->key = key;
	return policy_index_add(index, entry, err);
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
	if (cursor_left(line) > DOMAIN_TABLE_LINE_MAX)
		return err_set(
			err, "the line is longer than %d bytes; shorten it", DOMAIN_TABLE_LINE_MAX);
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

static size_t count_lines(const struct buf *text)
{
	const char *at = buf_text(text), *end = at + text->length;
	size_t lines = 1;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		lines++;
		at++;
	}
	return lines;
}

void domain_table_parse(const struct buf *text, const char *file, struct policy_index *index,
	struct strlist *pool, struct complaints *complaints)
{
	struct cursor rest = cursor_over(buf_text(text), text->length);
	struct policy_entry entry;
	struct cursor line;

	if (!policy_index_reserve(index, count_lines(text))) {
		complain(complaints, 0, "out of memory");
		return;
	}
	for (unsigned number = 1; next_line(&rest, &line) && !complaints_full(complaints);
		number++) {
		struct err err = ERR_INIT;

		memset(&entry, 0, sizeof(entry));
		entry.origin = (struct origin){ file, number, NULL };
		if (check_line(&line, &err) == 0 && !at_comment_or_end(&line))
			parse_line(&line, &entry, index, pool, &err);
		if (err.text[0] != '\0')
			complain(complaints, number, "%s", err.text);
	}
}

void domain_table_load(
	struct settings *settings, struct strlist *pool, struct complaints *complaints)
{
	struct err err = ERR_INIT;
	struct buf text;

	buf_init(&text, DOMAIN_TABLE_MAX);
	if (config_file_read(settings->domain_table, DOMAIN_TABLE_MAX, &text, &err) < 0)
		complain(complaints, 0, "%s", err.text);
	else
		domain_table_parse(
			&text, settings->domain_table, settings->index, pool, complaints);
	buf_free(&text);
}
