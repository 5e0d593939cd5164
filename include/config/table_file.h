/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large tables in plain text files, one entry a line, that begins with a domain or an address:
 *
 *   line = name { word } [ "#" comment ]
 *   name = "example.com" | ".example.com" | "user@example.com"
 *
 * This module knows lines, names and errors with their lines; what stands behind a name is the
 * business of domain_table.h and alias_table.h.
 */
#ifndef SPAMBRIDGE_CONFIG_TABLE_FILE_H
#define SPAMBRIDGE_CONFIG_TABLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "config/complaints.h"

/* The file, bytes: some four million lines. */
#define TABLE_FILE_MAX (256u * 1024 * 1024)
/* One line, bytes. */
#define TABLE_LINE_MAX 8192

/* Take one line that holds more than a comment; -1 with the error. */
typedef int table_line(struct cursor *line, unsigned number, void *context, struct err *err);

/* Hand every line of `text` to `take`, until the list of errors is full. */
void table_parse(
	const struct buf *text, table_line *take, void *context, struct complaints *complaints);

/* Read a file into `text`, whose maximum is TABLE_FILE_MAX; an error is noted. */
bool table_read(const char *path, struct buf *text, struct complaints *complaints);

/* How many lines, at least one: to make room beforehand. */
size_t table_count_lines(const struct buf *text);

/*
 * Take the name at the position and write it as it is compared (config/names.h). False for what is
 * none.
 */
bool table_take_name(struct cursor *line, char *key, size_t size);

/* Take the bytes up to one of `stops`; false when there is none or they do not fit. */
bool table_take_word(struct cursor *line, const char *stops, char *out, size_t out_size);

/* Skip blanks; is there nothing but a comment left? */
bool table_line_ends(struct cursor *line);

#endif
