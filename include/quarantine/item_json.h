/* SPDX-License-Identifier: BSD-2-Clause */
/* An item's metadata as JSON text, and back; the only place of the quarantine that reads JSON. */
#ifndef SPAMBRIDGE_QUARANTINE_ITEM_JSON_H
#define SPAMBRIDGE_QUARANTINE_ITEM_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "quarantine/item.h"

/*
 * The metadata as a JSON object for anybody to read (the tool's --json shows it, with more).
 * Strings are UTF-8; bytes that are not make {"hex": "..."}. NULL when out of memory; else the
 * caller has one reference.
 */
json_t *item_json(const struct item *item);

/* A string as above; NULL when out of memory. */
json_t *item_json_text(const char *text);

/* Append item_json() as ASCII without any blank. False when out of memory or beyond the maximum. */
bool item_json_print(struct buf *out, const struct item *item);

/*
 * Read it back, strictly: no duplicate keys, right types, at least one recipient, unknown keys
 * ignored (a later version may add some). *ret_item may be half filled in unless ITEM_COMPLETE.
 */
enum item_parse_result item_json_parse(
	const char *text, size_t length, struct item *ret_item, struct err *err);

#endif
