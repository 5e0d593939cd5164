/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One server of the pool: its slots, its health, and what it did so far. Pure state; the pool's
 * lock guards it.
 */
#ifndef SPAMBRIDGE_SCORER_SERVER_H
#define SPAMBRIDGE_SCORER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/repeat.h"
#include "scorer/pool.h"
#include "scorer/tally.h"

/*
 * Pauses between probes of a server that was set aside, milliseconds: doubled from first to last.
 */
#define PROBE_PAUSE_FIRST_MS 20
#define PROBE_PAUSE_LAST_MS  400

/*
 * Broken connections and nonsense in a row that set a server aside: one odd message, which every
 * server that is asked about it chokes on, must not.
 */
#define ODD_IN_A_ROW 3

/* What the log was told of a server's failures (scorer/server_news.h). */
struct server_trouble {
	struct repeat repeat;
	bool aside_said, answers_said; /* since the last count */
	bool counted;                  /* a count was said */
	char why[SERVER_ERROR_SIZE];   /* the last failure */
};

struct server {
	const struct scorer_setting *scorer; /* borrowed from the settings */
	const struct server_setting *setting;
	struct idle_store *idle; /* owned by the pool, thread-safe by itself; NULL: none are kept */
	size_t scorer_index;
	size_t index;     /* in the pool and in the address book */
	unsigned address; /* which of its addresses is used: counts failures */
	unsigned busy;    /* slots in use */
	bool healthy;
	bool probing;
	enum server_outcome aside_for; /* why it was set aside last */
	int64_t aside_us;              /* and when */
	unsigned odd_in_row;
	int pause_ms;             /* before the next probe; grows until a message is answered */
	struct deadline probe_at; /* while not healthy */
	int64_t last_answer_us;
	int64_t latency_us;  /* smoothed over about eight answers; 0: none yet */
	uint64_t answered;   /* by this pool */
	struct tally *tally; /* a reference */
	char last_error[SERVER_ERROR_SIZE];
	int64_t last_error_s;
	struct server_trouble trouble;
};

enum server_change {
	SERVER_SAME,
	SERVER_SET_ASIDE,
	SERVER_RETURNED,
};

/* Note how an exchange that began at `started_us` ended; `why` may be NULL. */
enum server_change server_note(
	struct server *server, enum server_outcome outcome, int64_t started_us, const char *why);

/* Note the answer to a probe (`why` NULL: it was good). */
enum server_change server_note_probe(struct server *server, const char *why);

/* Called with the pool's lock held: could a scan begin here at once? */
bool server_has_free_slot(const struct server *server);

#endif
