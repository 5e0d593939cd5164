/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work at a disk that may hang, done by helper threads, while whoever wants it done waits for no
 * longer than a deadline.
 *
 * An errand is the first member of a struct of the caller's, on the heap. Two own it: who waits
 * and the thread that carries it out; the last of them destroys it, so everything that it needs
 * has to be in it. Thread-safe.
 */
#ifndef SPAMBRIDGE_QUARANTINE_ERRAND_H
#define SPAMBRIDGE_QUARANTINE_ERRAND_H

#include <pthread.h>
#include <stdbool.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/listener.h"

enum errand_state {
	ERRAND_WAITING,
	ERRAND_RUNNING,
	ERRAND_DONE,
};

struct errand {
	/* Do it, taking as long as it takes: 0, or -1 with the reason. */
	int (*run)(struct errand *errand, struct err *err);
	/* It was done after all, but whoever wanted it has gone: undo it. NULL: nothing to undo. */
	void (*undo)(struct errand *errand);
	void (*destroy)(struct errand *errand);

	/* Of errand.c alone. */
	unsigned owners;
	enum errand_state state;
	bool abandoned; /* nobody waits any more */
	int result;
	struct err err;
	pthread_cond_t done;
	struct errand *next;
};

/* The threads; at most LIMIT_WRITERS, started when there is something to do. */
struct errands;

/* NULL when out of memory. */
struct errands *errands_new(void);

/* Errands under way come to their end; the last thread frees the memory. */
void errands_free(struct errands **errands);

enum errand_result {
	ERRAND_GOOD,
	ERRAND_FAILED,    /* with the reason */
	ERRAND_ABANDONED, /* not done by the deadline; what it does later is undone */
};

/* How long whoever wants it done waits, and who is told meanwhile. */
struct errand_patience {
	struct deadline deadline;
	struct listener listener;
};

/*
 * Have it done. The errand is given away, but its members may be read by the caller until it calls
 * errand_release().
 */
enum errand_result errands_do(struct errands *errands, struct errand *errand,
	const struct errand_patience *patience, struct err *err);
void errand_release(struct errands *errands, struct errand **errand);

/* For run(): need nobody bother any more? */
bool errand_is_abandoned(struct errands *errands, const struct errand *errand);

#endif
