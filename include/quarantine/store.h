/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writing end of the quarantine: a message goes in, and is complete and durable before
 * success is returned, or has left no trace that anybody can see. Thread-safe.
 *
 * Room is accounted for in memory: counted when the store is opened and by store_recount(), added
 * to by each write. Before a write is refused for want of room the directory is counted again, so
 * that what reviewers removed meanwhile is known.
 */
#ifndef SPAMBRIDGE_QUARANTINE_STORE_H
#define SPAMBRIDGE_QUARANTINE_STORE_H

#include <stdint.h>

#include "base/deadline.h"
#include "base/err.h"
#include "mail/envelope.h"
#include "mail/message.h"
#include "mail/verdict.h"
#include "quarantine/id.h"

struct store_options {
	const char *directory;  /* absolute path; copied */
	uint64_t max_bytes;     /* of all items together; 0: no limit */
	uint64_t max_items;     /* 0: no limit */
	uint64_t reserve_bytes; /* of the file system that are left free */
};

/* What goes in; everything is borrowed for the call. */
struct store_request {
	const struct client *client;
	const struct envelope *envelope;
	const struct verdict *verdict;
	struct message *message;          /* sealed; gains an owner while it is written */
	const struct strlist *recipients; /* whose copy this is: one at least */
	const char *action;               /* "quarantine", "reject": the log's words */
	const char *reason;
	int64_t keep_s; /* how long this item is kept; 0: as the quarantine's setting says */
	const char *id; /* made beforehand by item_id_new(), or NULL */
};

struct store;

/*
 * Open, making the folders that are missing, removing what writers that were killed left in tmp,
 * and counting what is there. NULL with a reason that says what to do.
 */
struct store *store_open(const struct store_options *options, struct err *err);

/* Writers that are still under way finish on their own; the last one frees the memory. */
void store_free(struct store **store);

/* Write one item; `ret_id` has its id on success. Takes as long as the disk does. */
int store_write(struct store *store, const struct store_request *request, char ret_id[ITEM_ID_SIZE],
	struct err *err);

/*
 * The same, by one of at most LIMIT_WRITERS helper threads, for no longer than the deadline. When
 * that passes the result is -1 ("the disk is too slow") although the helper may still be at it:
 * when it comes to an end it removes the item again.
 */
int store_write_within(struct store *store, const struct store_request *request,
	struct deadline deadline, char ret_id[ITEM_ID_SIZE], struct err *err);

/* Count what is in the directory. To be called now and then; the totals stay when it fails. */
int store_recount(struct store *store, struct err *err);

/* For status and metrics. */
struct store_view {
	uint64_t items, bytes;          /* by the last count and what was written since */
	uint64_t written, failed;       /* since the start */
	uint64_t abandoned;             /* of the failed: at their deadline */
	char last_error[ERR_TEXT_SIZE]; /* "": none, or something was written since */
	int64_t last_error_s;           /* wall clock */
};
void store_look(struct store *store, struct store_view *ret_view);

#endif
