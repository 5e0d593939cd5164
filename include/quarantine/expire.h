/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removing items that were kept long enough.
 *
 * Nothing that nobody has decided on goes unseen: an item is announced (a line in the log, a line
 * in the digest) before it goes, and stays for `notice_s` after that, even when it is overdue
 * because nobody ran this for a while. The announcement is a file digest/ID, so it survives
 * restarts. Items are claimed before they are removed.
 */
#ifndef SPAMBRIDGE_QUARANTINE_EXPIRE_H
#define SPAMBRIDGE_QUARANTINE_EXPIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/directory.h"
#include "quarantine/list.h"

struct expire_options {
	int64_t keep_s;   /* items without a time of their own are kept so long; 0: for ever */
	int64_t notice_s; /* between announcement and removal; 0: somebody is looking, remove now */
	int64_t now_s;
	bool dry_run;   /* change nothing */
	const char *by; /* for the audit line */
	/* Per recipient domain: how long it is kept there, -1: as keep_s says. May be NULL. */
	int64_t (*keep_of_domain)(const char *domain, void *context);
	void *context;
};

struct expire_result {
	size_t removed, announced, waiting, failed;
};

/* When this item goes; 0: never. With several recipients the longest of their domains counts. */
int64_t expire_time(const struct expire_options *options, const struct item *item);

/*
 * Go through the quarantine; `visit` (may be NULL) sees each item that goes or would go, before it
 * does. Damaged items never expire: somebody should look at them. Used release marks that are too
 * old go as well. Returns -1 when the directory cannot be read.
 */
int expire_items(const struct directory *directory, const struct expire_options *options,
	list_visitor *visit, void *context, struct expire_result *ret, struct err *err);

#endif
