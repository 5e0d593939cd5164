/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads and conditions as this program wants them. */
#ifndef SPAMBRIDGE_BASE_THREAD_H
#define SPAMBRIDGE_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/deadline.h"

/*
 * Start a thread that takes no signals: those are the main thread's. Returns 0 or an error number,
 * as pthread_create(3).
 */
int thread_start(pthread_t *ret_thread, void *(*routine)(void *), void *argument);

/* Make a condition whose timed waits are on the monotonic clock. */
void condition_init(pthread_cond_t *condition);

/* Wait until the condition is signalled (true) or the moment has passed (false). */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, struct deadline until);

#endif
