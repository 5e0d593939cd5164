/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon counts: messages by action and reason, and how long they took. Every message that
 * reached its end is counted once, so the counters by action sum up to the messages. Thread-safe.
 */
#ifndef SPAMBRIDGE_DAEMON_METRICS_H
#define SPAMBRIDGE_DAEMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "judge/judge.h"

/* Count a message that was judged and answered. */
void metrics_count(const struct judgement *judgement);

struct metrics_counter {
	const char *action; /* constants */
	const char *reason;
	uint64_t count;
};

/*
 * Copy the counters that are not zero into `counters` (up to `room`); returns how many there are.
 */
size_t metrics_counters(struct metrics_counter *counters, size_t room);

/* Append everything in the text format of Prometheus (exposition format 0.0.4). */
bool metrics_print(struct buf *out);

#endif
