/* SPDX-License-Identifier: BSD-2-Clause */
/* The trail of decisions about held mail, in the log. */
#ifndef SPAMBRIDGE_QUARANTINE_AUDIT_H
#define SPAMBRIDGE_QUARANTINE_AUDIT_H

#include "quarantine/stored.h"

/*
 * Log one line of who did what to whose copy ("*": everybody's), what came of it, and what the
 * mail server said. Texts may be NULL.
 */
void audit_decision(const struct stored *stored, const char *action, const char *recipient,
	const char *by, const char *result, const char *reply);

#endif
