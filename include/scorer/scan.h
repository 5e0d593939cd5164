/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the scorers about one message within one deadline. */
#ifndef SPAMBRIDGE_SCORER_SCAN_H
#define SPAMBRIDGE_SCORER_SCAN_H

#include "base/deadline.h"
#include "base/listener.h"
#include "mail/verdict.h"
#include "scorer/late.h"
#include "scorer/pool.h"
#include "scorer/request.h"

struct scan {
	struct pool *pool; /* borrowed */
	struct deadline deadline;
	bool shadow; /* ask the shadow and nobody else */
	struct listener listener;
	struct late_store *late; /* NULL: an unfinished scan is given up */
};

/* What is asked about the message, mostly once; for several users, once for each of them. */
struct scan_question {
	struct scan_request *request;  /* borrowed */
	const unsigned char *identity; /* digest for `late`; NULL without it */
	struct verdict *verdict;       /* filled in, the caller's to free; borrowed */
};

/*
 * Ask all questions (LIMIT_SCORE_USERS at most) side by side until each has a good verdict, or the
 * deadline. Every verdict is filled in (scorer, server and scan_us included); one that fails
 * changes nothing for the others. Returns no later than the deadline plus scheduling.
 */
void scan_run(const struct scan *scan, struct scan_question *questions, size_t count);

#endif
