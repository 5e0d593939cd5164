/* SPDX-License-Identifier: BSD-2-Clause */
/* Helper threads for a disk that may hang, and who waits for them. */
#include "quarantine/errand.h"

#include <errno.h>
#include <stdlib.h>

#include "base/thread.h"
#include "quarantine/limits.h"

struct errands {
	pthread_mutex_t lock; /* everything below, and what errands say of themselves */
	pthread_cond_t work;
	unsigned owners; /* the one who made it, and each thread */
	bool closing;
	struct errand *first, *last;
	unsigned queued, idle, threads;
};

struct errands *errands_new(void)
{
	struct errands *errands = calloc(1, sizeof(*errands));

	if (errands == NULL)
		return NULL;
	errands->owners = 1;
	pthread_mutex_init(&errands->lock, NULL);
	pthread_cond_init(&errands->work, NULL);
	return errands;
}

static void release_threads(struct errands *errands)
{
	unsigned owners;

	pthread_mutex_lock(&errands->lock);
	owners = --errands->owners;
	pthread_mutex_unlock(&errands->lock);
	if (owners > 0)
		return;
	pthread_cond_destroy(&errands->work);
	pthread_mutex_destroy(&errands->lock);
	free(errands);
}

void errands_free(struct errands **errands)
{
	struct errands *gone = *errands;

	*errands = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_lock(&gone->lock);
	gone->closing = true;
	pthread_cond_broadcast(&gone->work);
	pthread_mutex_unlock(&gone->lock);
	release_threads(gone);
}

void errand_release(struct errands *errands, struct errand **errand)
{
	struct errand *gone = *errand;
	unsigned owners;

	*errand = NULL;
	pthread_mutex_lock(&errands->lock);
	owners = --gone->owners;
	pthread_mutex_unlock(&errands->lock);
	if (owners > 0)
		return;
	pthread_cond_destroy(&gone->done);
	gone->destroy(gone);
}

bool errand_is_abandoned(struct errands *errands, const struct errand *errand)
{
	bool abandoned;

	pthread_mutex_lock(&errands->lock);
	abandoned = errand->abandoned;
	pthread_mutex_unlock(&errands->lock);
	return abandoned;
}

/* Do one errand in this thread. */
static void carry_out(struct errands *errands, struct errand *errand)
{
	struct err err = ERR_INIT;
	int result = errand->run(errand, &err);
	bool late;

	pthread_mutex_lock(&errands->lock);
	late = errand->abandoned && result == 0;
	errand->state = ERRAND_DONE;
	errand->result = result;
	errand->err = err;
	pthread_cond_signal(&errand->done);
	pthread_mutex_unlock(&errands->lock);
	if (late && errand->undo != NULL)
		errand->undo(errand);
}

/* Called with the lock held; NULL: it is time to end. */
static struct errand *next_errand(struct errands *errands)
{
	struct errand *errand;

	while (errands->first == NULL && !errands->closing) {
		errands->idle++;
		pthread_cond_wait(&errands->work, &errands->lock);
		errands->idle--;
	}
	errand = errands->first;
	if (errand == NULL)
		return NULL;
	errands->first = errand->next;
	if (errands->first == NULL)
		errands->last = NULL;
	errands->queued--;
	errand->state = ERRAND_RUNNING;
	return errand;
}

static void *thread_main(void *context)
{
	struct errands *errands = context;
	struct errand *errand;

	pthread_mutex_lock(&errands->lock);
	while ((errand = next_errand(errands)) != NULL) {
		bool abandoned = errand->abandoned;

		pthread_mutex_unlock(&errands->lock);
		if (!abandoned)
			carry_out(errands, errand);
		errand_release(errands, &errand);
		pthread_mutex_lock(&errands->lock);
	}
	pthread_mutex_unlock(&errands->lock);
	release_threads(errands);
	return NULL;
}

/* Called with the lock held. */
static int start_thread(struct errands *errands)
{
	pthread_t thread;
	int error = thread_start(&thread, thread_main, errands);

	if (error != 0)
		return error;
	pthread_detach(thread);
	errands->owners++;
	errands->threads++;
	return 0;
}

/* Called with the lock held. */
static int enqueue(struct errands *errands, struct errand *errand)
{
	if (errands->queued >= LIMIT_WRITE_QUEUE)
		return err_set(&errand->err, "the disk is too slow: too many writes are waiting");
	if (errands->idle <= errands->queued && errands->threads < LIMIT_WRITERS) {
		int error = start_thread(errands);

		if (error != 0 && errands->threads == 0)
			return err_set_errno(&errand->err, error, "cannot start a thread");
	}
	errand->owners++;
	if (errands->last == NULL)
		errands->first = errand;
	else
		errands->last->next = errand;
	errands->last = errand;
	errands->queued++;
	pthread_cond_signal(&errands->work);
	return 0;
}

/* Called with the lock held, which is given up while the listener is told. */
static void await(
	struct errands *errands, struct errand *errand, const struct errand_patience *patience)
{
	struct listener_clock clock = listener_begin(patience->listener);

	while (errand->state != ERRAND_DONE && !deadline_passed(patience->deadline)) {
		if (condition_wait(&errand->done, &errands->lock,
			    deadline_sooner(patience->deadline, clock.next)))
			continue;
		pthread_mutex_unlock(&errands->lock);
		listener_tell(&clock);
		pthread_mutex_lock(&errands->lock);
	}
}

enum errand_result errands_do(struct errands *errands, struct errand *errand,
	const struct errand_patience *patience, struct err *err)
{
	enum errand_result result;

	errand->owners = 1;
	errand->state = ERRAND_WAITING;
	errand->err = (struct err)ERR_INIT;
	condition_init(&errand->done);
	pthread_mutex_lock(&errands->lock);
	errand->result = enqueue(errands, errand);
	if (errand->result == 0)
		await(errands, errand, patience);
	errand->abandoned = errand->result == 0 && errand->state != ERRAND_DONE;
	if (errand->abandoned) {
		result = ERRAND_ABANDONED;
		err_set(err, "the disk is too slow: no answer by the deadline");
	} else {
		result = errand->result == 0 ? ERRAND_GOOD : ERRAND_FAILED;
		if (errand->result != 0)
			err_set(err, "%s", errand->err.text);
	}
	pthread_mutex_unlock(&errands->lock);
	return result;
}
