/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One absolute moment on the monotonic clock, made once and passed by value to everything that
 * can wait. Nothing re-arms it; the only arithmetic is here.
 */
#ifndef SPAMBRIDGE_BASE_DEADLINE_H
#define SPAMBRIDGE_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct deadline {
	int64_t at_us; /* microseconds on CLOCK_MONOTONIC; INT64_MAX: never */
};

/* Now on the monotonic clock, microseconds. Only good for differences. */
int64_t clock_now_us(void);

/* The moment `ms` milliseconds from now (negative: already passed). */
struct deadline deadline_after_ms(int64_t ms);

/* The moment that never comes. */
struct deadline deadline_never(void);

/* The earlier of two. */
struct deadline deadline_sooner(struct deadline a, struct deadline b);

/* Is no time left? */
/* The moment `us` microseconds before another one; never stays never. */
struct deadline deadline_before_us(struct deadline deadline, int64_t us);

/* Has the moment come? */
bool deadline_passed(struct deadline deadline);

/* Microseconds left, 0 when passed. */
int64_t deadline_us_left(struct deadline deadline);

/* Milliseconds left, rounded up, 0 when passed, at most INT_MAX: what poll() takes. */
int deadline_ms_left(struct deadline deadline);

/* As a timespec on CLOCK_MONOTONIC, for pthread_cond_timedwait. */
struct timespec deadline_timespec(struct deadline deadline);

#endif
