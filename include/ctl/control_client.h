/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the running daemon over its control socket (protocol/control.h has the language). */
#ifndef SPAMBRIDGE_CTL_CONTROL_CLIENT_H
#define SPAMBRIDGE_CTL_CONTROL_CLIENT_H

#include <jansson.h>

#include "base/deadline.h"
#include "base/err.h"

/*
 * Send one command to the socket at `path` and wait for the answer. Returns it (the caller's), an
 * object of our version with a boolean `ok`; NULL with the reason when nobody answers in time, or
 * not in this language.
 */
json_t *control_ask(
	const char *path, const char *command, struct deadline deadline, struct err *err);

#endif
