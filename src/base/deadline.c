/* SPDX-License-Identifier: BSD-2-Clause */
/* One absolute moment on the monotonic clock. */
#include "base/deadline.h"

#include <limits.h>

int64_t clock_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct deadline deadline_after_ms(int64_t ms)
{
	return (struct deadline){ clock_now_us() + ms * 1000 };
}

struct deadline deadline_never(void)
{
	return (struct deadline){ INT64_MAX };
}

struct deadline deadline_sooner(struct deadline a, struct deadline b)
{
	return a.at_us < b.at_us ? a : b;
}

struct deadline deadline_before_us(struct deadline deadline, int64_t us)
{
	return deadline.at_us == INT64_MAX ? deadline : (struct deadline){ deadline.at_us - us };
}

bool deadline_passed(struct deadline deadline)
{
	return deadline_us_left(deadline) == 0;
}

int64_t deadline_us_left(struct deadline deadline)
{
	int64_t now = clock_now_us();

	return deadline.at_us > now ? deadline.at_us - now : 0;
}

int deadline_ms_left(struct deadline deadline)
{
	int64_t us = deadline_us_left(deadline);

	if (us / 1000 >= INT_MAX)
		return INT_MAX;
	return (int)((us + 999) / 1000);
}

struct timespec deadline_timespec(struct deadline deadline)
{
	/* "Never" becomes a century from now: pthread_cond_timedwait takes no infinity. */
	const int64_t century_s = INT64_C(3155760000);
	int64_t at_us = deadline.at_us;

	if (at_us > century_s * 1000000)
		at_us = century_s * 1000000;
	return (struct timespec){ .tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000 };
}
