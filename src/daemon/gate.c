/* SPDX-License-Identifier: BSD-2-Clause */
/* The way past libmilter's starving workers, its spinning accept() and its hold of signals. */
#include "daemon/gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/thread.h"
#include "daemon/socket.h"

/*
 * A connection is made this often even when nobody asks, milliseconds: a peer that connects and
 * says nothing holds a worker too, and a session may be stuck behind it.
 */
#define REGULAR_MS 1000

/* And this often while libmilter is to stop: its listener looks up only for a connection. */
#define HURRY_MS 10

/* Connections made at once when many scans begin to wait together. */
#define BURST 16

/*
 * What connects and does not even negotiate within this time holds a worker, or is in the way of
 * somebody who waits for one: it is made up for by a connection of our own. Microseconds.
 */
#define GRACE_US 20000
#define GRACE_MS 20

/* How long accept() pauses when descriptors or memory have run out, milliseconds. */
#define EXHAUSTED_PAUSE_MS 50

static struct {
	const struct listen_setting *listen;
	pthread_t thread;
	int wake;
	atomic_bool hurry;
	atomic_int scans;    /* that began to wait since the thread last looked */
	atomic_int accepted; /* connections, ours among them; a difference is all that counts */
	atomic_int settled;  /* those that negotiated, ours, and those that were made up for */
	atomic_int late;     /* made up for, and may negotiate yet: not to be counted twice */
} gate = { .wake = -1 };

static void wake_up(void)
{
	const uint64_t one = 1;

	(void)!write(gate.wake, &one, sizeof(one));
}

static void connect_once(void)
{
	int fd;

	atomic_fetch_add(&gate.settled, 1);
	fd = socket_connect(gate.listen);
	if (fd >= 0)
		close(fd);
	else
		atomic_fetch_sub(&gate.settled, 1);
}

/* Connections that have been silent for the grace time; `since` is when there were first any. */
static int count_silent(int64_t *since)
{
	int64_t now = clock_now_us();
	int silent = atomic_load(&gate.accepted) - atomic_load(&gate.settled);

	if (silent <= 0)
		*since = 0;
	else if (*since == 0)
		*since = now;
	return *since != 0 && now - *since >= GRACE_US ? silent : 0;
}

static int pause_ms(int64_t silent_since)
{
	if (atomic_load(&gate.hurry))
		return HURRY_MS;
	return silent_since != 0 ? GRACE_MS : REGULAR_MS;
}

static void *gate_main(void *unused)
{
	struct pollfd set = { .fd = gate.wake, .events = POLLIN };
	int64_t silent_since = 0;
	uint64_t times;

	(void)unused;
	for (;;) {
		bool regular = poll(&set, 1, pause_ms(silent_since)) == 0 && silent_since == 0;
		int asked, silent;

		if (set.revents != 0)
			(void)!read(gate.wake, &times, sizeof(times));
		asked = regular + atomic_exchange(&gate.scans, 0);
		silent = count_silent(&silent_since);
		if (silent > BURST)
			silent = BURST;
		atomic_fetch_add(&gate.settled, silent);
		atomic_fetch_add(&gate.late, silent);
		if (regular)
			atomic_store(&gate.late, 0);
		for (int i = 0; i < silent || i < (asked < BURST ? asked : BURST); i++)
			connect_once();
	}
	return NULL;
}

int gate_start(const struct listen_setting *listen, struct err *err)
{
	int errnum;

	int fd = socket_connect(listen);

	if (fd < 0)
		return err_set_errno(err, errno,
			"the daemon cannot reach its own socket %s (its user needs to pass each "
			"directory of the path)",
			listen->text);
	close(fd);
	gate.listen = listen;
	gate.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	errnum = gate.wake < 0 ? errno : thread_start(&gate.thread, gate_main, NULL);
	if (errnum != 0)
		return err_set_errno(err, errnum, "cannot start the gate's thread");
	return 0;
}

void gate_open(void)
{
	atomic_fetch_add(&gate.scans, 1);
	wake_up();
}

void gate_heard(void)
{
	int late = atomic_load(&gate.late);

	while (late > 0 && !atomic_compare_exchange_weak(&gate.late, &late, late - 1))
		;
	if (late <= 0)
		atomic_fetch_add(&gate.settled, 1);
}

void gate_hurry(void)
{
	atomic_store(&gate.hurry, true);
	gate_open();
}

/*
 * accept() as libmilter calls it: the program's own definition comes before the C library's in the
 * order in which the dynamic linker looks names up. Only the pause is added; libmilter treats
 * EMFILE, ENFILE, ENOMEM and ENOBUFS as "try again", and does so at once. The label keeps clear of
 * the C library's prototype, whose argument types differ from system to system.
 */
int patient_accept(int fd, struct sockaddr *address, socklen_t *length) __asm__("accept");

int patient_accept(int fd, struct sockaddr *address, socklen_t *length)
{
	const struct timespec pause = { .tv_nsec = EXHAUSTED_PAUSE_MS * 1000000L };
	int accepted = accept4(fd, address, length, SOCK_CLOEXEC);
	int errnum = errno;

	if (accepted < 0 &&
		(errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOBUFS))
		nanosleep(&pause, NULL);
	if (accepted >= 0 && atomic_fetch_add(&gate.accepted, 1) == atomic_load(&gate.settled))
		wake_up();
	errno = errnum;
	return accepted;
}

/*
 * sigwait() as libmilter's signal thread calls it, for the signals that mean an end to it. They are
 * the main thread's; the kernel may give a waiting thread one of them all the same (signal(7)).
 */
int deaf_sigwait(const sigset_t *set, int *ret_number) __asm__("sigwait");

int deaf_sigwait(const sigset_t *set, int *ret_number)
{
	(void)set;
	(void)ret_number;
	for (;;)
		pause();
}
