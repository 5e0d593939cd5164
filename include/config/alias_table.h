/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The alias table: addresses that stand for a mailbox whose policy counts, one line each.
 *
 *   line    = alias mailbox [ "#" comment ]
 *   alias   = "sales@example.com" | "example.net"
 *   mailbox = "ann@example.com"   | "example.com"
 *
 * A domain stands for the same address in the other domain. There is one step only: the mailbox is
 * not looked up again. Look-ups take the same time however many lines there are.
 */
#ifndef SPAMBRIDGE_CONFIG_ALIAS_TABLE_H
#define SPAMBRIDGE_CONFIG_ALIAS_TABLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/complaints.h"

struct alias_table;

/* An empty table; NULL when out of memory. */
struct alias_table *alias_table_new(void);
void alias_table_free(struct alias_table **table);

/* Read a file; errors are noted with their lines. */
void alias_table_load(struct alias_table *table, const char *path, struct complaints *complaints);

/* The same from text that is in memory. */
void alias_table_parse(
	struct alias_table *table, const struct buf *text, struct complaints *complaints);

/*
 * What a normalised address or domain stands for, normalised, borrowed until the table changes, and
 * the line that says so. NULL: there is no such alias.
 */
const char *alias_table_find(const struct alias_table *table, const char *key, unsigned *ret_line);

/* Aliases in the table. */
size_t alias_table_count(const struct alias_table *table);

/* Bytes of memory that the table holds. */
size_t alias_table_memory(const struct alias_table *table);

#endif
