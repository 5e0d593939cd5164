/* SPDX-License-Identifier: BSD-2-Clause */
/* Spare threads for libmilter. */
#include "daemon/threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/log.h"

/* Spare threads made at the start: as many sessions go on while the system gives no thread. */
#define SPARE_THREADS 8

/* How often a new thread is tried for while spare ones are missing, milliseconds. */
#define RETRY_MS 20

/* As the C library declares it. */
typedef int create_function(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*routine)(void *), void *argument);

struct work {
	STAILQ_ENTRY(work) link;
	void *(*routine)(void *);
	void *argument;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	STAILQ_HEAD(, work) queue;
	unsigned waiting;
	int idle; /* spare threads without work; below 0 for a moment while one is counted */
	bool started;
	bool refused; /* said in the log, until it works again */
} spare = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.queue = STAILQ_HEAD_INITIALIZER(spare.queue) };

/* The C library's own function (or a sanitizer's), which ours hides. */
static create_function *real_create(void)
{
	static _Atomic(create_function *) found;
	create_function *function = atomic_load(&found);
	void *symbol;

	if (function == NULL) {
		symbol = dlsym(RTLD_NEXT, "pthread_create");
		memcpy(&function, &symbol, sizeof(function));
		atomic_store(&found, function);
	}
	return function;
}

/* Take the first work; with the lock. NULL when there is none. */
static struct work *take(void)
{
	struct work *work = STAILQ_FIRST(&spare.queue);

	if (work != NULL) {
		STAILQ_REMOVE_HEAD(&spare.queue, link);
		spare.waiting--;
	}
	return work;
}

/*
 * One piece of work a thread: libmilter's workers detach the thread they run on, which cannot be
 * done twice.
 */
static void *spare_main(void *unused)
{
	struct work *work, now;

	(void)unused;
	pthread_mutex_lock(&spare.lock);
	while ((work = take()) == NULL)
		pthread_cond_wait(&spare.changed, &spare.lock);
	spare.idle--;
	pthread_cond_broadcast(&spare.changed);
	pthread_mutex_unlock(&spare.lock);
	now = *work;
	free(work);
	return now.routine(now.argument);
}

/* Make one more spare thread. False when the system gives none. */
static bool add_spare(void)
{
	pthread_t thread;

	if (real_create()(&thread, NULL, spare_main, NULL) != 0)
		return false;
	pthread_mutex_lock(&spare.lock);
	spare.idle++;
	spare.refused = spare.refused && spare.idle < SPARE_THREADS;
	pthread_mutex_unlock(&spare.lock);
	return true;
}

/* Replaces the spare threads that got work, as soon as there can be new ones. */
static void *refill_main(void *unused)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };

	(void)unused;
	for (;;) {
		pthread_mutex_lock(&spare.lock);
		while (spare.idle >= SPARE_THREADS)
			pthread_cond_wait(&spare.changed, &spare.lock);
		pthread_mutex_unlock(&spare.lock);
		if (!add_spare())
			nanosleep(&pause, NULL);
	}
	return NULL;
}

int threads_start(struct err *err)
{
	sigset_t all, old;
	pthread_t thread;
	int errnum;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errnum = real_create()(&thread, NULL, refill_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errnum != 0)
		return err_set_errno(err, errnum, "cannot make spare threads");
	spare.started = true;
	return 0;
}

unsigned threads_waiting(void)
{
	unsigned waiting;

	pthread_mutex_lock(&spare.lock);
	waiting = spare.waiting;
	pthread_mutex_unlock(&spare.lock);
	return waiting;
}

/* Keep the work for later. True when it is kept. */
static bool keep(void *(*routine)(void *), void *argument)
{
	struct work *work;
	bool say = false;

	if (!spare.started)
		return false;
	work = malloc(sizeof(*work));
	if (work == NULL)
		return false;
	*work = (struct work){ .routine = routine, .argument = argument };
	pthread_mutex_lock(&spare.lock);
	STAILQ_INSERT_TAIL(&spare.queue, work, link);
	spare.waiting++;
	say = !spare.refused;
	spare.refused = true;
	pthread_cond_broadcast(&spare.changed);
	pthread_mutex_unlock(&spare.lock);
	if (say)
		log_err(NULL,
			"the system gives no more threads: sessions wait for a spare one (raise "
			"TasksMax= in the unit or the limit of processes)");
	return true;
}

/*
 * pthread_create() as libmilter calls it: the program's own definition comes first in the dynamic
 * linker's order. Work given to a spare thread has no id that could be joined; libmilter does not
 * look at it (its workers detach themselves by their own id). Our own threads, which are joined,
 * are
 * made with attributes and never kept. The label keeps clear of the C library's prototype.
 */
int patient_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
	void *argument) __asm__("pthread_create");

int patient_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
	void *argument)
{
	int errnum = real_create()(thread, attributes, routine, argument);

	if (errnum == EAGAIN && attributes == NULL && keep(routine, argument)) {
		*thread = pthread_self();
		return 0;
	}
	return errnum;
}
