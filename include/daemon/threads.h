/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spare threads for libmilter.
 *
 * When the system refuses libmilter a thread, the session that it was for is never served
 * (libmilter/worker.c logs the failure and forgets the session): the mail server waits until its
 * own limit. Therefore pthread_create() of this program says yes in that case, gives the work to
 * one of a few threads that were made at the start, and to a new one as soon as there can be one.
 */
#ifndef SPAMBRIDGE_DAEMON_THREADS_H
#define SPAMBRIDGE_DAEMON_THREADS_H

#include "base/err.h"

/* Make the spare threads; refusals are an error until then. -1 with the reason. */
int threads_start(struct err *err);

/* Work that waits for a thread, count: for tests and status. */
unsigned threads_waiting(void);

#endif
