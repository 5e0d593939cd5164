/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removing items that were kept long enough.
 *
 * Nothing that nobody has decided on goes unseen: an item is announced (a line in the log, a line
 * in the digest) before it goes, and stays for `notice_s` after that, even when it is overdue
 * because nobody ran this for a while. The announcement is a file digest/ID, so it survives
 * restarts. Items are claimed before they are removed, and announced by whoever makes that file:
 * the daemon and the tool may do this at the same time.
 */
#ifndef SPAMBRIDGE_QUARANTINE_EXPIRE_H
#define SPAMBRIDGE_QUARANTINE_EXPIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/directory.h"
#include "quarantine/list.h"

/* How long before it goes an item is announced: one digest lies in between, seconds. */
#define EXPIRE_NOTICE_S 86400

struct expire_options {
	/*
	 * How long the copy of a recipient is kept, seconds; 0: for ever. Items with a time of
	 * their own keep that. NULL: all items are kept for `keep_s`, whatever they say themselves.
	 */
	int64_t (*keep_of)(const struct item *item, size_t recipient, const void *context);
	const void *context;
	int64_t keep_s;   /* 0: for ever */
	int64_t notice_s; /* between announcement and removal; 0: somebody is looking, remove now */
	int64_t now_s;
	bool dry_run;   /* change nothing */
	const char *by; /* for the audit line */
};

struct expire_result {
	size_t removed, announced, waiting, failed;
};

/* When this item goes; 0: never. With several recipients the one who keeps it longest counts. */
int64_t expire_time(const struct expire_options *options, const struct item *item);

/*
 * Go through the quarantine as `filter` says (its progress is called for each item, and may wait
 * or end the run); `visit` (may be NULL) sees each item that goes or would go, before it does.
 * Damaged items never expire: somebody should look at them. Used release marks that are too old go
 * as well, and what was known of items that have gone. Returns -1 when the directory cannot be
 * read.
 */
int expire_items(const struct directory *directory, const struct list_filter *filter,
	const struct expire_options *options, list_visitor *visit, void *context,
	struct expire_result *ret, struct err *err);

#endif
