/* SPDX-License-Identifier: BSD-2-Clause */
/* The mail filter as libmilter sees it: registration, socket and main loop. */
#ifndef SPAMBRIDGE_DAEMON_MILTER_H
#define SPAMBRIDGE_DAEMON_MILTER_H

#include "base/err.h"
#include "config/settings.h"

/* Register the callbacks and make the listening socket. -1 with the reason. */
int milter_open(const struct settings *settings, struct err *err);

/* Start libmilter's main loop in a thread of its own. -1 with the reason. */
int milter_start(struct err *err);

/* Has the main loop ended by itself (a broken socket, a signal that it saw first)? */
bool milter_ended(void);

/* Say in the log what was counted for a minute, or (`early`) at all. To be called now and then. */
void milter_say_repeated(bool early);

/* Ask the main loop to end and wait for it, at most `timeout_ms`. */
void milter_stop(int timeout_ms);

#endif
