/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a mail server sends to a filter for one message, in segments: each is written without
 * waiting, and one reply follows it. How many there are is up to the filter: for each step it
 * says whether it wants it at all, and whether it replies (SMFIP_*, libmilter/mfdef.h).
 */
#ifndef SPAMBRIDGE_BENCH_PACKETS_H
#define SPAMBRIDGE_BENCH_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* What Postfix offers: every action and every step. */
#define OFFERED_ACTIONS 0x1ffu
#define OFFERED_STEPS   0x1fffffu

struct segment {
	size_t begin, end; /* in the plan's bytes */
	bool answered;     /* false: the next one follows at once */
};

struct plan {
	uint32_t steps;
	struct buf bytes;
	struct segment *segments;
	size_t count;
	size_t after_greeting; /* the segment with which further messages of a connection begin */
};

/* A packet with a command and its data, appended to `out`. */
void packet_put(struct buf *out, char command, const void *data, size_t length);

/* The first packet of a connection: version 6 of the protocol, and what is offered. */
void packet_put_negotiation(struct buf *out);

/*
 * Make the plan for messages of `size` bytes to a filter that chose `steps`. The last segment holds
 * the end of the message.
 */
struct plan *plan_new(uint32_t steps, size_t size);

#endif
