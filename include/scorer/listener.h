/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling the caller of a scan that it waits, so that it can keep the mail server patient. */
#ifndef SPAMBRIDGE_SCORER_LISTENER_H
#define SPAMBRIDGE_SCORER_LISTENER_H

#include <stdbool.h>

#include "base/deadline.h"

/* How long a scan has waited before its caller is told the first time, and from then on. */
#define SCAN_FIRST_WAIT_MS 1
#define SCAN_NEXT_WAIT_MS  2000

/* Who is told: `first` is true the first time. It must not block. `waiting` may be NULL. */
struct scan_listener {
	void (*waiting)(void *context, bool first);
	void *context;
};

/* When to tell it next. */
struct listener_clock {
	struct scan_listener listener;
	struct deadline next;
	bool first;
};

/* The scan begins now. */
struct listener_clock listener_begin(struct scan_listener listener);

/* Tell the listener if it is time to. */
void listener_tell(struct listener_clock *clock);

#endif
