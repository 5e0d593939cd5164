/* SPDX-License-Identifier: BSD-2-Clause */
/* The milter protocol for the filter without libmilter (loop_filter.c): packets only, no I/O. */
#ifndef SPAMBRIDGE_BENCH_LOOP_TALK_H
#define SPAMBRIDGE_BENCH_LOOP_TALK_H

#include <stddef.h>

#include "base/buf.h"
#include "mail/verdict.h"

/* One connection's message as it comes, and the replies that are to be sent. */
struct talk {
	struct buf message; /* what spamd is shown, lines ended by CRLF */
	struct buf replies;
	bool in_body; /* the empty line below the header is in the message */
};

enum talk_state {
	TALK_ON,     /* more packets are to come */
	TALK_ENDED,  /* the message is complete and its answer is due */
	TALK_CLOSED, /* the mail server has left, or makes no sense */
};

void talk_init(struct talk *talk);
void talk_free(struct talk *talk);

/*
 * Take packets from `bytes` up to the end of a message, at most. *ret_used: the bytes of whole
 * packets that were taken; the caller keeps the others and brings them again with more.
 */
enum talk_state talk_take(struct talk *talk, const char *bytes, size_t length, size_t *ret_used);

/* Append the fields for this verdict and "accept" to the replies; the message is forgotten. */
void talk_answer(struct talk *talk, const struct verdict *verdict);

#endif
