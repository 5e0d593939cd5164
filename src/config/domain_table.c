/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain table: policies of many domains, one line each. */
#include "config/domain_table.h"

#include <string.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"
#include "config/options.h"
#include "config/policy_index.h"
#include "config/settings_private.h"
#include "config/table_file.h"
#include "config/values.h"

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
	return take_quoted(line, out, out_size) || table_take_word(line, " \t\"#", out, out_size);
}

/* One `option=value` of the entry. */
static int take_option(
	struct cursor *line, struct policy_entry *entry, struct strlist *pool, struct err *err)
{
	char name[64], value[2048];
	const struct option *option;
	struct err wrong = ERR_INIT;

	if (!table_take_word(line, "= \t", name, sizeof(name)) || !cursor_byte(line, '=') ||
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
	if ((entry->fields.set & 1u << option->field) != 0)
		return err_set(err, "%s is set a second time; remove one", name);
	if ((option_is_list(option) ? value_parse_list : value_parse)(
		    option, value, &entry->fields, pool, &wrong) < 0)
		return err_set(err, "%s: %s", name, wrong.text);
	entry->fields.set |= 1u << option->field;
	return 0;
}

/* Where entries go. */
struct filling {
	struct policy_index *index;
	struct strlist *pool;
	const char *file;
};

static int take_line(struct cursor *line, unsigned number, void *context, struct err *err)
{
	const struct filling *filling = context;
	char key[2 * LIMIT_ADDRESS];
	struct policy_entry entry;

	memset(&entry, 0, sizeof(entry));
	entry.origin = (struct origin){ .file = filling->file, .line = number };
	entry.key = key;
	if (!table_take_name(line, key, sizeof(key)))
		return err_set(err,
			"no domain or address begins this line; write example.com, "
			".example.com or user@example.com");
	while (!table_line_ends(line))
		if (take_option(line, &entry, filling->pool, err) < 0)
			return -1;
	if (!policy_fields_ordered(&entry.fields, err))
		return -1;
	return policy_index_add(filling->index, &entry, err);
}

void domain_table_parse(const struct buf *text, const char *file, struct policy_index *index,
	struct strlist *pool, struct complaints *complaints)
{
	struct filling filling = { index, pool, file };

	if (policy_index_reserve(index, table_count_lines(text)))
		table_parse(text, take_line, &filling, complaints);
	else
		complain(complaints, 0, "out of memory");
}

void domain_table_load(
	struct settings *settings, struct strlist *pool, struct complaints *complaints)
{
	struct buf text;

	buf_init(&text, TABLE_FILE_MAX);
	if (table_read(settings->domain_table, &text, complaints))
		domain_table_parse(
			&text, settings->domain_table, settings->index, pool, complaints);
	buf_free(&text);
}
