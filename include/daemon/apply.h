/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carrying a judgement out: header edits, quarantine and reply, in one fixed order. Sees
 * libmilter.
 */
#ifndef SPAMBRIDGE_DAEMON_APPLY_H
#define SPAMBRIDGE_DAEMON_APPLY_H

#include <libmilter/mfapi.h>

#include "daemon/session.h"
#include "judge/judge.h"
#include "quarantine/store.h"

/* What it is done with. */
struct apply_means {
	struct store *store;             /* NULL: there is no quarantine */
	struct errand_patience patience; /* by when it is stored, or deferred; who is told */
};

/*
 * Store what is to be stored, tell the mail server, and return what the end-of-message callback
 * answers. An edit that the mail server refuses turns the answer into a deferral, since half an
 * edit may let a forged field through.
 */
sfsistat apply(SMFICTX *context, const struct session *session, struct judgement *judgement,
	const struct apply_means *means);

#endif
