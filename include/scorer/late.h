/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Late verdicts: scans that were not done by the deadline go on in the background, and a sender's
 * retry is answered from their result.
 *
 * Entries are keyed by the digest of the exact message and envelope, bounded in number and time.
 * An exchange keeps its server's slot while it goes on. Thread-safe.
 */
#ifndef SPAMBRIDGE_SCORER_LATE_H
#define SPAMBRIDGE_SCORER_LATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/digest.h"
#include "base/listener.h"
#include "mail/verdict.h"
#include "scorer/exchange.h"
#include "scorer/pool.h"

struct late_store;

enum late_result {
	LATE_NONE,    /* not known: ask a scorer */
	LATE_RUNNING, /* still being scanned */
	LATE_FOUND,   /* *ret_verdict is filled */
};

/* A store with its thread, for the life of the process. NULL with the reason. */
struct late_store *late_store_new(struct err *err);

/* Bounds from the configuration; 0 for either turns the store off. */
void late_store_limits(struct late_store *store, int64_t keep_ms, size_t max_entries);

/*
 * Take over an unfinished exchange with its slot (both are the store's from here on, also when it
 * declines and gives them up). True when it goes on.
 */
bool late_store_adopt(struct late_store *store, const unsigned char digest[DIGEST_SIZE],
	struct pool *pool, struct server *server, struct exchange *exchange);

/*
 * What is known of a message, waiting until `until` (and telling the
 * listener) while it is being scanned. *ret_verdict is only touched when it was found.
 */
enum late_result late_store_find(struct late_store *store, const unsigned char digest[DIGEST_SIZE],
	struct deadline until, struct listener listener, struct verdict *ret_verdict);

struct late_view {
	size_t running, kept;
	uint64_t adopted, finished, used;
};

/* A picture of the counts, for status and metrics. */
void late_store_view(struct late_store *store, struct late_view *ret_view);

#endif
