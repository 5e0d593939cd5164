/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads that libmilter's workers run on.
 *
 * libmilter starts and ends a worker for most of the messages of a busy server, and a new thread
 * costs as much as several of its system calls: therefore pthread_create() of this program gives
 * its routines to threads that have done with an earlier one, as long as such are there.
 *
 * When the system refuses libmilter a thread, the session that it was for is never served
 * (libmilter/worker.c logs the failure and forgets the session): the mail server waits until its
 * own limit. Therefore pthread_create() says yes in that case, gives the work to one of a few
 * threads that are kept for it, or else to the first one that there is.
 */
#ifndef SPAMBRIDGE_DAEMON_THREADS_H
#define SPAMBRIDGE_DAEMON_THREADS_H

#include "base/err.h"

/* Begin to keep threads; refusals are an error until then. -1 with the reason. */
int threads_start(struct err *err);

/* Sessions that wait since the system gives no more threads, count. */
unsigned threads_waiting(void);

/* libmilter's workers, count: those that serve a session and those that are free. */
unsigned threads_workers(void);

#endif
