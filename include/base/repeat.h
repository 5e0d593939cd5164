/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens often is said once, then counted, and at the end said to be over: so that trouble
 * shows in a log and does not fill it. Plain data of the caller, behind the caller's lock; pure.
 */
#ifndef SPAMBRIDGE_BASE_REPEAT_H
#define SPAMBRIDGE_BASE_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"

/* How long is counted before the count is said, and how long it must be quiet to be over. */
#define REPEAT_PERIOD_US (60 * INT64_C(1000000))

struct repeat {
	bool on;         /* it was said, and is not over */
	uint64_t count;  /* how often it happened since something was last said */
	int64_t from_us; /* when that was (clock_now_us()) */
};

/* It happened. True: say it. False: it is counted. */
bool repeat_note(struct repeat *repeat, int64_t now_us);

enum repeat_news {
	REPEAT_NOTHING, /* say nothing yet */
	REPEAT_COUNTED, /* say how often it happened */
	REPEAT_OVER,    /* it has not happened for a whole period */
};

/*
 * Look whether a period has passed; with `early` as if it had, but then nothing is ever over. With
 * REPEAT_COUNTED the count and the whole seconds that it is for are given out, and counting begins
 * anew.
 */
enum repeat_news repeat_look(struct repeat *repeat, int64_t now_us, bool early, uint64_t *ret_count,
	int64_t *ret_seconds);

/* When to look next; never while there is nothing to say. */
struct deadline repeat_due(const struct repeat *repeat);

#endif
