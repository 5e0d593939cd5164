/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon is, in one word and the reasons for it: for status and /health. */
#ifndef SPAMBRIDGE_DAEMON_HEALTH_H
#define SPAMBRIDGE_DAEMON_HEALTH_H

#include "base/strlist.h"

enum health {
	HEALTH_GOOD,
	HEALTH_DEGRADED, /* mail is scored, but something needs a look */
	HEALTH_DOWN,     /* no server answers: mail goes the way of on_failure */
};

/* "healthy", "degraded", "down" */
const char *health_word(enum health health);

/*
 * How it is now. A sentence for each thing that is not well is appended to `reasons`; text of
 * others in them is as it came.
 */
enum health health_look(struct strlist *reasons);

#endif
