/* SPDX-License-Identifier: BSD-2-Clause */
/* The process itself: user, descriptor limit, core dumps, and what the service manager is told. */
#ifndef SPAMBRIDGE_DAEMON_PROCESS_H
#define SPAMBRIDGE_DAEMON_PROCESS_H

#include "base/err.h"
#include "config/settings.h"

/*
 * Raise the descriptor limit to what `max_sessions` needs. -1 with the reason when the hard limit
 * is too low.
 */
int process_raise_descriptors(const struct settings *settings, struct err *err);

/* Become `user` for good when started as root; refuse to go on as root. -1 with the reason. */
int process_drop_privileges(const struct settings *settings, struct err *err);

/* Tell systemd (sd_notify(3)); nothing without it. */
void process_notify_ready(void);
void process_notify_reloading(void);
void process_notify_stopping(void);
void process_notify_watchdog(void);

/* Every how many milliseconds the watchdog wants a sign of life; 0: there is none. */
long process_watchdog_ms(void);

#endif
