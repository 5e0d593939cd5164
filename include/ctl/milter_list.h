/* SPDX-License-Identifier: BSD-2-Clause */
/* Postfix's smtpd_milters (postconf(5), MILTER_README): finding our filter among others. Pure. */
#ifndef SPAMBRIDGE_CTL_MILTER_LIST_H
#define SPAMBRIDGE_CTL_MILTER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/settings.h"

/* One filter in the text of a list: `inet:host:port`, `unix:path` or `{ address, name=value }`. */
struct milter_entry {
	size_t start, length;
};

/*
 * The next entry at or after *position, which moves behind it. False at the end. Entries are
 * separated by commas and white space; an unclosed brace goes on to the end.
 */
bool milter_list_next(const char *list, size_t *position, struct milter_entry *ret_entry);

/*
 * Does an entry name our socket? A path may be written as Postfix sees it inside its chroot, that
 * is relative to the queue directory, with or without a leading slash.
 */
bool milter_entry_is_ours(const char *list, const struct milter_entry *entry,
	const struct listen_setting *listen, const char *queue_directory);

/*
 * Append what an entry in braces says of a setting of its own, such as content_timeout in
 * "{ unix:x, content_timeout=5s }". False when it says nothing.
 */
bool milter_entry_setting(
	const char *list, const struct milter_entry *entry, const char *name, struct buf *out);

/* How many entries are ours. */
size_t milter_list_count(
	const char *list, const struct listen_setting *listen, const char *queue_directory);

/* Append the list with our filter at its end. */
bool milter_list_add(const char *list, const char *address, struct buf *out);

/* Append the list without the entries that are ours; all others stay as they are. */
bool milter_list_remove(const char *list, const struct listen_setting *listen,
	const char *queue_directory, struct buf *out);

/*
 * Append our socket as Postfix wants it: a path below the queue directory relative to it, so that
 * it is found from inside a chroot and from outside.
 */
bool milter_address(
	const struct listen_setting *listen, const char *queue_directory, struct buf *out);

/* Is the path below the queue directory? Returns what follows the slash, or NULL. */
const char *path_below(const char *path, const char *queue_directory);

#endif
