/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The care for held mail: a thread that removes what has expired, and watches whether digests go
 * out. It looks through the quarantine at its start, when it is woken and every hour, one item at a
 * time; it has a low priority, and before each item waits up to a second for scans that wait
 * for a server. The tool may do the same at the same time (quarantine/expire.h).
 */
#ifndef SPAMBRIDGE_DAEMON_UPKEEP_H
#define SPAMBRIDGE_DAEMON_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Start the thread; after runtime_start(). -1 with the reason. */
int upkeep_start(struct err *err);

/* Look through the quarantine now: the configuration has changed. */
void upkeep_wake(void);

/* For status and metrics; times are seconds since 1970, 0: never. */
struct upkeep_view {
	int64_t looked_s;                    /* when all items were looked at last */
	uint64_t removed, announced, failed; /* items since the start */
	bool digests;                        /* digests are configured (digest_from) */
	int64_t digest_s;                    /* when they went out last */
	int64_t waiting_s;                   /* since when mail is held that came after that */
	bool overdue;                        /* ... which is too long */
	char last_error[ERR_TEXT_SIZE];      /* "": all is well */
};

/* What is known now. The thread looks at the digests again, for the next one who asks. */
void upkeep_look(struct upkeep_view *ret_view);

#endif
