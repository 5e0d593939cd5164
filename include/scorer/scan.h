/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the scorers about one message within one deadline. */
#ifndef SPAMBRIDGE_SCORER_SCAN_H
#define SPAMBRIDGE_SCORER_SCAN_H

#include "base/deadline.h"
#include "mail/verdict.h"
#include "scorer/late.h"
#include "scorer/pool.h"
#include "scorer/request.h"

/* How long a scan has waited before its caller is told the first time, and from then on. */
#define SCAN_FIRST_WAIT_MS 1
#define SCAN_NEXT_WAIT_MS  2000

/*
 * Told while a scan waits: the first time after SCAN_FIRST_WAIT_MS (`first` true), then every
 * SCAN_NEXT_WAIT_MS. It must not block.
 */
struct scan_listener {
	void (*waiting)(void *context, bool first);
	void *context;
};

struct scan {
	struct pool *pool;              /* borrowed */
	struct scan_request *request;   /* borrowed */
	struct deadline deadline;
	struct scan_listener listener;  /* waiting may be NULL */
	struct late_store *late;        /* NULL: an unfinished scan is given up */
	const unsigned char *identity;  /* digest for `late` */
};

/*
 * Ask until a good verdict or the deadline. Always fills *ret_verdict (scorer, server and scan_us
 * included), which the caller frees; returns no later than the deadline plus scheduling.
 */
void scan_run(const struct scan *scan, struct verdict *ret_verdict);

#endif
