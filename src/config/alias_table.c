/* SPDX-License-Identifier: BSD-2-Clause */
/* The alias table: addresses that stand for a mailbox whose policy counts. */
#include "config/alias_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "config/key_set.h"
#include "config/table_file.h"

struct alias {
	uint32_t mailbox; /* offset in `mailboxes` */
	uint32_t line;
};

struct alias_table {
	struct key_set keys;
	struct alias *aliases; /* one a key */
	size_t capacity;
	struct buf mailboxes; /* each ended by NUL */
};

struct alias_table *alias_table_new(void)
{
	struct alias_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	buf_init(&table->mailboxes, UINT32_MAX / 2);
	if (!key_set_init(&table->keys))
		alias_table_free(&table);
	return table;
}

void alias_table_free(struct alias_table **table)
{
	if (*table == NULL)
		return;
	key_set_free(&(*table)->keys);
	free((*table)->aliases);
	buf_free(&(*table)->mailboxes);
	free(*table);
	*table = NULL;
}

static int add(struct alias_table *table, const char *key, const char *mailbox, unsigned line,
	struct err *err)
{
	struct alias alias = { (uint32_t)table->mailboxes.length, line };
	size_t number;

	if (!array_grow((void **)&table->aliases, table->keys.count, &table->capacity,
		    sizeof(*table->aliases)) ||
		!buf_append(&table->mailboxes, mailbox, strlen(mailbox) + 1))
		return err_set(err, "out of memory");
	switch (key_set_add(&table->keys, key, &number)) {
	case KEY_OUT_OF_MEMORY:
		return err_set(err, "out of memory");
	case KEY_THERE:
		return err_set(err,
			"'%.200s' is set a second time; the first is in line %u, remove one", key,
			(unsigned)table->aliases[number].line);
	case KEY_ADDED:
		break;
	}
	table->aliases[number] = alias;
	return 0;
}

static bool is_address(const char *key)
{
	return strchr(key, '@') != NULL;
}

static int take_line(struct cursor *line, unsigned number, void *context, struct err *err)
{
	char alias[2 * LIMIT_ADDRESS], mailbox[2 * LIMIT_ADDRESS];

	if (!table_take_name(line, alias, sizeof(alias)) || table_line_ends(line) ||
		!table_take_name(line, mailbox, sizeof(mailbox)) || !table_line_ends(line) ||
		alias[0] == '.' || mailbox[0] == '.')
		return err_set(err,
			"write an alias and its mailbox with a blank between them: "
			"sales@example.com ann@example.com");
	if (is_address(alias) != is_address(mailbox))
		return err_set(err,
			"an address stands for an address, a domain for a domain; "
			"write two of one kind");
	return add(context, alias, mailbox, number, err);
}

void alias_table_parse(
	struct alias_table *table, const struct buf *text, struct complaints *complaints)
{
	if (key_set_reserve(&table->keys, table_count_lines(text)))
		table_parse(text, take_line, table, complaints);
	else
		complain(complaints, 0, "out of memory");
}

void alias_table_load(struct alias_table *table, const char *path, struct complaints *complaints)
{
	struct buf text;

	buf_init(&text, TABLE_FILE_MAX);
	if (table_read(path, &text, complaints))
		alias_table_parse(table, &text, complaints);
	buf_free(&text);
}

const char *alias_table_find(const struct alias_table *table, const char *key, unsigned *ret_line)
{
	size_t number;

	if (!key_set_find(&table->keys, key, &number))
		return NULL;
	*ret_line = table->aliases[number].line;
	return table->mailboxes.data + table->aliases[number].mailbox;
}

size_t alias_table_count(const struct alias_table *table)
{
	return table->keys.count;
}

size_t alias_table_memory(const struct alias_table *table)
{
	return sizeof(*table) + key_set_memory(&table->keys) +
		table->capacity * sizeof(*table->aliases) + table->mailboxes.capacity;
}
