/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads and conditions as this program wants them. */
#include "base/thread.h"

#include <signal.h>

/*
 * Bytes for each thread. A name look-up in glibc with its modules is the deepest that ours do; the
 * system's 8 MB would count against a limit on address space.
 */
#define THREAD_STACK (512 * 1024)

int thread_start(pthread_t *ret_thread, void *(*routine)(void *), void *argument)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int errnum;

	/* Attributes of their own tell our threads from libmilter's (daemon/threads.h). */
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errnum = pthread_create(ret_thread, &attributes, routine, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return errnum;
}

void condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, struct deadline until)
{
	struct timespec moment = deadline_timespec(until);

	return pthread_cond_timedwait(condition, lock, &moment) == 0;
}
