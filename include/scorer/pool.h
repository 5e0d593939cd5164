/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The servers of all scorers: who is healthy, who has a free slot, and who waits for one.
 *
 * A server that fails is set aside and probed with growing pauses until it answers again. Slots
 * (`max_connections`) are given out in the order in which they were asked for. Thread-safe; the
 * pool keeps its settings snapshot, and is counted because late exchanges outlive a reload.
 */
#ifndef SPAMBRIDGE_SCORER_POOL_H
#define SPAMBRIDGE_SCORER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/err.h"
#include "config/settings.h"
#include "scorer/target.h"

struct pool;
struct server; /* one server of the pool; valid as long as the pool */

enum slot_result {
	SLOT_GRANTED,
	SLOT_WAITING,      /* not yet; ask again */
	SLOT_NONE_HEALTHY, /* no server that could be asked is healthy */
	SLOT_OVERLOADED,   /* the queue cannot be served in time */
};

/* How an exchange with a server ended, for its health. */
enum server_outcome {
	SERVER_ANSWERED, /* a verdict */
	SERVER_REFUSED,  /* no connection */
	SERVER_BROKEN,   /* the connection ended before any answer: the message may be the reason */
	SERVER_NONSENSE, /* an answer that is none */
	SERVER_SILENT,   /* no answer in the time it was given */
	SERVER_UNKNOWN,  /* given up for reasons of ours */
};

/* A place in the queue for a slot; plain data of the caller. */
struct slot_request {
	struct pool *pool;
	struct server *granted; /* given, but not taken yet */
	struct server **tried;  /* servers not to be given again; owned */
	size_t tried_count;
	struct slot_waiter *waiter; /* owned */
	bool shadow;                /* asks the shadow, which nobody else asks */
	int wake; /* eventfd that tells of news in the queue; -1: none; borrowed */
	enum server_outcome
		trouble; /* with SLOT_NONE_HEALTHY: what befell the last one set aside */
};

/*
 * A pool for the scorers of a snapshot, its threads started. `before` is the pool that it is to
 * replace, whose known addresses it takes over, or NULL. NULL with the reason.
 */
struct pool *pool_new(struct settings *settings, const struct pool *before, struct err *err);

/*
 * The same for messages that are to be learnt: nobody but the scorer whose verdicts count first is
 * in it, with those of its servers that learn (rspamd: its controllers).
 */
struct pool *pool_new_to_learn(struct settings *settings, struct err *err);
struct pool *pool_ref(struct pool *pool);
void pool_free(struct pool **pool);

/* The configuration that the pool was made from; valid as long as the pool. */
/*
 * Say in the log what was counted for longer than a minute, or (`early`) at all, since the end is
 * near. Returns when to look next.
 */
struct deadline pool_say_repeated(struct pool *pool, bool early);

/* The configuration that it is for. */
const struct settings *pool_settings(const struct pool *pool);

/*
 * Ask for a slot of the first scorer that has a healthy server which is not among the tried ones,
 * waiting no longer than `until`; `deadline` is what the answer is needed by. On SLOT_WAITING the
 * place in the queue is kept. Granted servers count as tried from then on.
 */
void slot_request_init(struct slot_request *request, struct pool *pool);
enum slot_result slot_request_wait(struct slot_request *request, struct deadline until,
	struct deadline deadline, struct server **ret_server);
void slot_request_free(struct slot_request *request);

/*
 * A free slot at another server of the same scorer at once, for a hedge; NULL when there is none.
 */
struct server *slot_request_second(struct slot_request *request, const struct server *first);

/* Give a slot back. `started_us` is when its exchange began. */
void pool_release(struct pool *pool, struct server *server, enum server_outcome outcome,
	int64_t started_us, const char *why);

/* Note that an exchange which keeps its slot has had no answer in the time it was given. */
void pool_note_silent(
	struct pool *pool, struct server *server, int64_t started_us, const char *why);

/* The section and the address that a server was configured by; valid as long as the pool. */
const struct scorer_setting *server_scorer(const struct server *server);
const struct server_setting *server_setting(const struct server *server);

/*
 * What is needed to ask it; its address is the next one after each failure. False when none is
 * known.
 */
bool server_target(struct pool *pool, struct server *server, struct exchange_target *ret_target);

/*
 * Wait until a server of the first scorer may be asked, for programs that ask at once after the
 * start: a server that is given by name is not used before its name was looked up.
 */
void pool_wait_ready(struct pool *pool, struct deadline until);

/*
 * No connection could be had at the target's address: make it the host's next one, where everybody
 * goes from now on. False when the host has no more than the `tried` ones.
 */
bool server_other_address(
	struct pool *pool, struct server *server, unsigned tried, struct exchange_target *target);

/* Text of a server's last error, bytes, for a row of a report. */
#define SERVER_ERROR_SIZE 160

/* A look at one server for status and metrics. */
struct server_view {
	const char *scorer; /* borrowed from the pool */
	const char *server;
	bool healthy;
	bool is_shadow;
	unsigned busy, slots;
	unsigned waiting;                                       /* of its scorer */
	uint64_t answered, refused, nonsense, silent, given_up; /* since the daemon started */
	int64_t latency_us;                                     /* smoothed */
	char last_error[SERVER_ERROR_SIZE];
	int64_t last_error_s; /* wall clock, 0: never */
};

/* Views of all servers, their number in *ret_count; the caller frees. NULL when out of memory. */
struct server_view *pool_view(struct pool *pool, size_t *ret_count);

#endif
