/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: a thread that answers spambridgectl. Only the daemon's user and group can
 * reach it. Its language is in protocol/control.h.
 */
#ifndef SPAMBRIDGE_DAEMON_CONTROL_H
#define SPAMBRIDGE_DAEMON_CONTROL_H

#include "base/err.h"
#include "config/settings.h"

/*
 * Listen at settings->control and start the thread; nothing when that is "". Call after the user
 * has been changed. -1 with the reason.
 */
int control_start(const struct settings *settings, struct err *err);

/* Read the configuration again and say in the log how it went; also for signals. 0 or -1. */
int control_reload(struct strlist *errors);

/* The last step of a stop: remove the socket, if one was made. */
void control_stop(const struct settings *settings);

#endif
