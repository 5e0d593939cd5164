/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into the daemon by the fault rows: a wall clock that jumps and threads that cannot be
 * created, switched on and off by the content of the file that FAULT_CONTROL names:
 * three 64-bit words: seconds added to the wall clock, whether pthread_create fails, and seconds
 * added to the monotonic clock.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
	int64_t clock_offset_s;
	int64_t fail_threads;
	int64_t monotonic_offset_s;
};

static const volatile struct control *control(void)
{
	static const volatile struct control off;
	static const volatile struct control *mapped;
	const char *path = getenv("FAULT_CONTROL");
	void *map;
	int fd;

	if (mapped != NULL)
		return mapped;
	fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return &off;
	map = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return &off;
	mapped = map;
	return mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*next)(clockid_t, struct timespec *);
	int result;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
	result = next(clock, now);
	if (result == 0 && clock == CLOCK_REALTIME)
		now->tv_sec += control()->clock_offset_s;
	if (result == 0 && clock == CLOCK_MONOTONIC)
		now->tv_sec += control()->monotonic_offset_s;
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret_now)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_now != NULL)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
	void *(*run)(void *), void *restrict argument)
{
	static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	if (control()->fail_threads)
		return EAGAIN;
	return next(thread, attributes, run, argument);
}
