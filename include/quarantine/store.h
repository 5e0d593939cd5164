/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writing end of the quarantine: a message goes in, and is complete and durable before
 * success is returned, or has left no trace that anybody can see. Thread-safe.
 *
 * Room is accounted for in memory: counted when the store is opened and by store_check(), added
 * to by each write. Before a write is refused for want of room the directory is counted again, so
 * that what reviewers removed meanwhile is known.
 */
#ifndef SPAMBRIDGE_QUARANTINE_STORE_H
#define SPAMBRIDGE_QUARANTINE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/err.h"
#include "mail/envelope.h"
#include "mail/message.h"
#include "mail/verdict.h"
#include "quarantine/errand.h"
#include "quarantine/id.h"

struct store_limits {
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
	bool by_domain; /* into a Maildir of the recipients' domain, if they have one in common */
};

struct store;

/*
 * Open the directory at an absolute path, making the folders that are missing, removing what
 * writers that were killed left in tmp, and counting what is there. NULL with a reason that says
 * what to do.
 */
struct store *store_open(const char *path, const struct store_limits *limits, struct err *err);

/* Writers that are still under way finish on their own; the last one frees the memory. */
void store_free(struct store **store);

/* Other limits from now on. */
void store_set_limits(struct store *store, const struct store_limits *limits);

/* Borrowed: where it is, and the threads that work at its disk. */
const char *store_path(const struct store *store);
struct errands *store_errands(struct store *store);

/* Write one item; `ret_id` has its id on success. Takes as long as the disk does. */
int store_write(struct store *store, const struct store_request *request, char ret_id[ITEM_ID_SIZE],
	struct err *err);

/*
 * The same, by a helper thread, for no longer than the deadline. When that passes the result is -1
 * ("the disk is too slow") although the helper may still be at it: when it comes to an end it
 * removes the item again.
 */
int store_write_within(struct store *store, const struct store_request *request,
	const struct errand_patience *patience, char ret_id[ITEM_ID_SIZE], struct err *err);

/*
 * Look whether an item could be written now; with `count` also count what is in the directory. To
 * be called now and then, never while anybody waits for an answer. -1 with the reason.
 */
int store_check(struct store *store, bool count, struct err *err);

/* For status, metrics and the alarm. */
struct store_view {
	uint64_t items, bytes;       /* by the last count and what was written since */
	struct store_limits limits;  /* those in force */
	uint64_t free_bytes;         /* of the file system, when it was last looked at */
	uint64_t written, failed;    /* since the start */
	uint64_t abandoned;          /* of the failed: at their deadline */
	bool filling;                /* a limit is nearly reached */
	char trouble[ERR_TEXT_SIZE]; /* why the last write or check failed; "": it did not */
	int64_t trouble_since_s;     /* wall clock: since when there is trouble, or there is none */
};
void store_look(struct store *store, struct store_view *ret_view);

/*
 * Wait until the store gets into trouble (or, when `troubled`, out of it), at most until then, and
 * look.
 */
void store_await_change(
	struct store *store, bool troubled, struct deadline until, struct store_view *ret_view);

#endif
