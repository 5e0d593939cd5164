/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads that libmilter's workers run on. */
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
#include "base/thread.h"
#include "daemon/hidden.h"

/* Idle threads that are kept for when the system gives no new one: as many sessions go on then. */
#define SPARE_THREADS 8

/* How long the others wait for more work, milliseconds. */
#define CACHED_MS 500

/* How often a new thread is tried for while spare ones are missing, milliseconds. */
#define RETRY_MS 20

/* Pieces of work that need no memory, count: libmilter forgets a session that gets no worker. */
#define RESERVED_WORK 64

/* libmilter's signal thread and its controller run for ever on threads of ours. */
#define NO_WORKERS 2

/* As the C library declares them. */
typedef int create_function(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*routine)(void *), void *argument);
typedef int detach_function(pthread_t thread);
typedef void *thread_routine(void *argument);

struct work {
	STAILQ_ENTRY(work) link;
	thread_routine *routine; /* NULL: free to be used, in the reserve */
	void *argument;
};

/* A thread that waits for work; on its own stack. */
struct idler {
	LIST_ENTRY(idler) link;
	pthread_cond_t changed;
	struct work *work; /* NULL: none yet */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	LIST_HEAD(, idler) idlers; /* the last to come is the first to go: its stack is warm */
	unsigned idle;
	STAILQ_HEAD(, work) queue; /* for the next thread that there is */
	unsigned waiting;
	struct work reserve[RESERVED_WORK];
	unsigned running; /* of libmilter's routines */
	bool started;
	bool refused; /* said in the log, until it works again */
} threads = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.idlers = LIST_HEAD_INITIALIZER(threads.idlers),
	.queue = STAILQ_HEAD_INITIALIZER(threads.queue) };

/* Is this one of our threads? They are born detached. */
static _Thread_local bool is_ours;

static create_function *real_create(void)
{
	static _Atomic(hidden_function *) found;

	return (create_function *)hidden_find(&found, "pthread_create");
}

/* A piece of work from the reserve, or NULL. */
static struct work *take_reserved(thread_routine *routine)
{
	struct work *free_one = NULL;

	pthread_mutex_lock(&threads.lock);
	for (size_t i = 0; i < RESERVED_WORK && free_one == NULL; i++)
		if (threads.reserve[i].routine == NULL)
			free_one = &threads.reserve[i];
	if (free_one != NULL)
		free_one->routine = routine;
	pthread_mutex_unlock(&threads.lock);
	return free_one;
}

static struct work *work_new(thread_routine *routine, void *argument)
{
	struct work *work = malloc(sizeof(*work));

	if (work == NULL)
		work = take_reserved(routine);
	if (work != NULL)
		*work = (struct work){ .routine = routine, .argument = argument };
	return work;
}

/* Work is done; with the lock. */
static void work_free(struct work *work)
{
	if (work >= threads.reserve && work < threads.reserve + RESERVED_WORK)
		work->routine = NULL;
	else
		free(work);
}

/* Wait for work; with the lock. NULL: this thread is one too many. */
static struct work *wait_for_work(struct idler *self)
{
	bool in_time = true;

	self->work = NULL;
	LIST_INSERT_HEAD(&threads.idlers, self, link);
	threads.idle++;
	threads.refused = threads.refused && threads.idle < SPARE_THREADS;
	while (self->work == NULL && in_time) {
		if (threads.idle <= SPARE_THREADS)
			pthread_cond_wait(&self->changed, &threads.lock);
		else
			in_time = condition_wait(
				&self->changed, &threads.lock, deadline_after_ms(CACHED_MS));
	}
	if (self->work == NULL) {
		LIST_REMOVE(self, link);
		threads.idle--;
	}
	return self->work;
}

/* Take the first piece of work that nobody could take; with the lock. NULL when there is none. */
static struct work *take_queued(void)
{
	struct work *work = STAILQ_FIRST(&threads.queue);

	if (work != NULL) {
		STAILQ_REMOVE_HEAD(&threads.queue, link);
		threads.waiting--;
	}
	return work;
}

/* The next piece of work for this thread: one that nobody could take, or one that comes. */
static struct work *next_work(struct idler *self)
{
	struct work *work;

	pthread_mutex_lock(&threads.lock);
	work = take_queued();
	if (work == NULL)
		work = wait_for_work(self);
	pthread_mutex_unlock(&threads.lock);
	return work;
}

static void *thread_main(void *unused)
{
	struct idler self = { 0 };
	struct work *work;

	(void)unused;
	is_ours = true;
	condition_init(&self.changed);
	while ((work = next_work(&self)) != NULL) {
		(void)work->routine(work->argument);
		pthread_mutex_lock(&threads.lock);
		work_free(work);
		threads.running--;
		pthread_mutex_unlock(&threads.lock);
	}
	pthread_cond_destroy(&self.changed);
	return NULL;
}

/* Make one more thread. False when the system gives none. */
static bool add_thread(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int errnum;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	errnum = real_create()(&thread, &attributes, thread_main, NULL);
	pthread_attr_destroy(&attributes);
	return errnum == 0;
}

/* Keeps spare threads, as soon as there can be new ones. */
static void *refill_main(void *unused)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };

	(void)unused;
	for (;;) {
		pthread_mutex_lock(&threads.lock);
		while (threads.idle >= SPARE_THREADS)
			pthread_cond_wait(&threads.changed, &threads.lock);
		pthread_mutex_unlock(&threads.lock);
		(void)add_thread();
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
	threads.started = true;
	return 0;
}

unsigned threads_waiting(void)
{
	unsigned waiting;

	pthread_mutex_lock(&threads.lock);
	waiting = threads.refused ? threads.waiting : 0;
	pthread_mutex_unlock(&threads.lock);
	return waiting;
}

unsigned threads_workers(void)
{
	unsigned running;

	pthread_mutex_lock(&threads.lock);
	running = threads.running;
	pthread_mutex_unlock(&threads.lock);
	return running > NO_WORKERS ? running - NO_WORKERS : 0;
}

/* Give work to the thread that began to wait last, if more than `kept` wait. With the lock. */
static bool give(struct work *work, unsigned kept)
{
	struct idler *idler = LIST_FIRST(&threads.idlers);

	if (threads.idle <= kept)
		return false;
	LIST_REMOVE(idler, link);
	threads.idle--;
	idler->work = work;
	pthread_cond_signal(&idler->changed);
	return true;
}

/* The system gives no thread for what was queued last: a spare one takes it, or it waits. */
static void use_spare(void)
{
	struct work *work;
	bool say;

	pthread_mutex_lock(&threads.lock);
	work = STAILQ_FIRST(&threads.queue);
	if (work != NULL && give(work, 0))
		(void)take_queued();
	say = !threads.refused;
	threads.refused = true;
	pthread_cond_signal(&threads.changed);
	pthread_mutex_unlock(&threads.lock);
	if (say)
		log_err(NULL,
			"the system gives no more threads: sessions wait for a spare one (raise "
			"TasksMax= in the unit or the limit of processes)");
}

/* Have a routine run by a thread that waits for work, by a new one, or in time. */
static int run(thread_routine *routine, void *argument)
{
	struct work *work = work_new(routine, argument);
	bool given;

	if (work == NULL)
		return EAGAIN;
	pthread_mutex_lock(&threads.lock);
	threads.running++;
	given = give(work, SPARE_THREADS);
	if (!given) {
		STAILQ_INSERT_TAIL(&threads.queue, work, link);
		threads.waiting++;
	}
	pthread_mutex_unlock(&threads.lock);
	if (!given && !add_thread())
		use_spare();
	return 0;
}

/* Is this a routine of libmilter's? Others may want to join their threads. */
static bool is_libmilters(thread_routine *routine)
{
	static _Atomic(thread_routine *) known;
	void *address, *library;
	Dl_info wanted, found;

	if (atomic_load(&known) == routine)
		return true;
	library = dlsym(RTLD_DEFAULT, "smfi_main");
	memcpy(&address, &routine, sizeof(address));
	if (library == NULL || dladdr(library, &wanted) == 0 || dladdr(address, &found) == 0 ||
		found.dli_fbase != wanted.dli_fbase)
		return false;
	atomic_store(&known, routine);
	return true;
}

/*
 * pthread_create() as libmilter calls it: the program's own definition comes first in the dynamic
 * linker's order. libmilter never looks at the id that it gets. The label keeps clear of the C
 * library's prototype.
 */
int cached_create(pthread_t *thread, const pthread_attr_t *attributes, thread_routine *routine,
	void *argument) __asm__("pthread_create");

int cached_create(pthread_t *thread, const pthread_attr_t *attributes, thread_routine *routine,
	void *argument)
{
	if (attributes != NULL || !threads.started || !is_libmilters(routine))
		return real_create()(thread, attributes, routine, argument);
	*thread = pthread_self();
	return run(routine, argument);
}

/* pthread_detach() as each of libmilter's routines begins with it: ours are detached already. */
int cached_detach(pthread_t thread) __asm__("pthread_detach");

int cached_detach(pthread_t thread)
{
	static _Atomic(hidden_function *) found;

	if (is_ours && pthread_equal(thread, pthread_self()))
		return 0;
	return ((detach_function *)hidden_find(&found, "pthread_detach"))(thread);
}
