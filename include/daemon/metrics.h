/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon counts: messages by action and reason, and how long they took. Thread-safe.
 *
 * Nothing gets lost, which the tests insist on: a message that began is under way, abandoned, or
 * answered, and each that was received to its end is answered by one action for one reason.
 */
#ifndef SPAMBRIDGE_DAEMON_METRICS_H
#define SPAMBRIDGE_DAEMON_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/judge.h"

/*
 * A message began; was received to its end, with a queue id or without; was given up by the mail
 * server before its answer.
 */
void metrics_begin(void);
void metrics_receive(bool has_id);
void metrics_abandon(void);

/* A message that was received is judged and answered. */
void metrics_count(const struct judgement *judgement);

/* A mail server's connection was put off for want of room. */
void metrics_put_off(void);

/* Pairs of action and reason: both are words of our own, so a few dozen at most. */
#define METRICS_COUNTERS 64

struct metrics_counter {
	const char *action; /* constants */
	const char *reason;
	uint64_t count;
};

/* Actions that are only observed: action_word() has fewer words. */
#define METRICS_OBSERVED 16

/* Upper bounds of the histograms, milliseconds; the last bucket is without bound. */
#define METRICS_BOUNDS 13
extern const int64_t metrics_bounds_ms[METRICS_BOUNDS];

struct metrics_histogram {
	uint64_t buckets[METRICS_BOUNDS + 1];
	int64_t sum_us;
	uint64_t count;
};

/* All counters at one moment. */
struct metrics_view {
	uint64_t begun, received, without_id, abandoned, put_off;
	struct metrics_counter counters[METRICS_COUNTERS];
	size_t count;
	struct metrics_observed {
		const char *action; /* NULL: free */
		uint64_t count;
	} observed[METRICS_OBSERVED];
	struct metrics_histogram scan, wait, total;
	uint64_t marks[RELEASE_UNSURE + 1]; /* of releases, by what became of them */
};
void metrics_look(struct metrics_view *ret_view);

#endif
