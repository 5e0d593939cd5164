/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text to value and back for every option type. Pure: no I/O, no locale; numbers are integers
 * (thousandths, milliseconds, bytes) from the start.
 */
#ifndef SPAMBRIDGE_CONFIG_VALUES_H
#define SPAMBRIDGE_CONFIG_VALUES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strlist.h"
#include "config/options.h"
#include "config/units.h"

/*
 * Parse `text` (for a list: one element of it) by the option's row and store it in the struct at
 * `base`. Strings go into `pool`, which then owns them. Returns -1 with what is wrong and what to
 * do; the struct is then as before.
 */
int value_parse(const struct option *option, const char *text, void *base, struct strlist *pool,
	struct err *err);

/* The same for a whole list in one text, its elements separated by commas or blanks. */
int value_parse_list(const struct option *option, const char *text, void *base,
	struct strlist *pool, struct err *err);

/* Append the value as it could be written in the file, quoted where needed. */
bool value_print(const struct option *option, const void *base, struct buf *out);

/* Keep a copy of `text` in the pool; NULL when out of memory. */
char *pool_text(struct strlist *pool, const char *text);

/* Append text in double quotes with '"' and '\\' escaped, as the file takes it. */
bool quoted_print(const char *text, struct buf *out);

#endif
