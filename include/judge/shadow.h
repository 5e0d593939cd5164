/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparing a second engine with the one in use: after a message was answered, a copy of the
 * question goes to the scorer that the configuration calls the shadow, and one log line tells both
 * scores and both would-be actions.
 *
 * One thread, one message at a time, a short queue: what does not fit is left out. Nothing here
 * can delay or change an answer.
 */
#ifndef SPAMBRIDGE_JUDGE_SHADOW_H
#define SPAMBRIDGE_JUDGE_SHADOW_H

#include "base/err.h"
#include "judge/judge.h"

struct shadow;

/* Start the thread, which then waits. NULL with the reason. It lives as long as the process. */
struct shadow *shadow_start(struct err *err);

/*
 * A message was judged: take a copy of what is needed if there is a shadow and it is this
 * message's turn. Never blocks.
 */
void shadow_offer(
	struct shadow *shadow, const struct transaction *mail, const struct judgement *judgement);

#endif
