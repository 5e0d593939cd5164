/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the scorers about one message within one deadline. */
#ifndef SPAMBRIDGE_SCORER_SCAN_H
#define SPAMBRIDGE_SCORER_SCAN_H

#include "base/deadline.h"
#include "mail/verdict.h"
#include "scorer/late.h"
#include "scorer/listener.h"
#include "scorer/pool.h"
#include "scorer/request.h"

struct scan {
	struct pool *pool;            /* borrowed */
	struct scan_request *request; /* borrowed */
	struct deadline deadline;
	bool shadow; /* ask the shadow and nobody else */
	struct scan_listener listener;
	struct late_store *late;       /* NULL: an unfinished scan is given up */
	const unsigned char *identity; /* digest for `late` */
};

/*
 * Ask until a good verdict or the deadline. Always fills *ret_verdict (scorer, server and scan_us
 * included), which the caller frees; returns no later than the deadline plus scheduling.
 */
void scan_run(const struct scan *scan, struct verdict *ret_verdict);

#endif
