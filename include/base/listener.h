/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling a caller that it is kept waiting, so that it can keep the mail server patient. */
#ifndef SPAMBRIDGE_BASE_LISTENER_H
#define SPAMBRIDGE_BASE_LISTENER_H

#include <stdbool.h>

#include "base/deadline.h"

/*
 * How long a caller has waited before it is told the first time, and from then on: Sendmail gives
 * a filter 10 s for each sign of life.
 */
#define LISTENER_FIRST_MS 1
#define LISTENER_NEXT_MS  2000

/* Who is told: `first` is true the first time. It must not block. `waiting` may be NULL. */
struct listener {
	void (*waiting)(void *context, bool first);
	void *context;
};

/* When to tell it next. */
struct listener_clock {
	struct listener listener;
	struct deadline next;
	bool first;
};

/* The wait begins now. */
struct listener_clock listener_begin(struct listener listener);

/* Tell the listener if it is time to. */
void listener_tell(struct listener_clock *clock);

#endif
