/* SPDX-License-Identifier: BSD-2-Clause */
/* The way past libmilter's starving workers, its spinning accept() and its hold of signals. */
#include "daemon/gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/thread.h"
#include "daemon/socket.h"
#include "daemon/stream.h"
#include "daemon/threads.h"

/*
 * A connection is made this often even when nothing happens, milliseconds: a peer that holds a
 * worker may hold up a session behind it all the same.
 */
#define REGULAR_MS 1000

/*
 * How often a connection looks whether it is served, milliseconds: while a callback waits, and for
 * a while after a mail server has connected, since that may hold a worker by saying half a word.
 */
#define LOOK_MS 20

/* And this often while libmilter is to stop: its listener looks up only for a connection. */
#define HURRY_MS 10

/* Most connections that are made at once. */
#define BURST 64

/* Who is asked again within this time, longer than LOOK_MS, makes as many times more as before. */
#define GROWTH_MS 50
#define GROWTH    4

/* How long accept() pauses when descriptors or memory have run out, milliseconds. */
#define EXHAUSTED_PAUSE_MS 50

/* With as many connections open, who has been let in goes before who comes, count. */
#define CROWD 32

/*
 * When that took this long, microseconds, somebody else keeps the processors busy, and it is left
 * alone for three times as long: who connects is not to starve for it.
 */
#define LONG_YIELD_US 1000
#define YIELD_REST    3

/* What libmilter and we allocate when a connection comes, bytes, roughly. */
#define SESSION_MEMORY 4096

static struct {
	const struct listen_setting *listen;
	pthread_t thread;
	int wake;
	atomic_bool hurry;
	atomic_uint waiting;             /* callbacks */
	atomic_bool looking;             /* the thread looks often already */
	atomic_long accepted, own, seen; /* connections: all, ours, others' when last looked at */
	atomic_long settled; /* others' that negotiated, and those that were made up for */
	atomic_long late;    /* made up for, and may negotiate yet: not to be counted twice */
	unsigned burst;
	struct deadline growth;
	int looker; /* a connection that is to be served, or -1 */
} gate = { .wake = -1, .looker = -1 };

/* Counted before it is accepted, so that the difference never takes one of ours for another's. */
static int connect_own(void)
{
	int fd;

	atomic_fetch_add(&gate.own, 1);
	fd = socket_connect(gate.listen);
	if (fd < 0)
		atomic_fetch_sub(&gate.own, 1);
	return fd;
}

static void connect_once(void)
{
	int fd = connect_own();

	if (fd >= 0)
		close(fd);
}

/* Mail servers' connections since the start, or one less for a moment. */
static long count_others(void)
{
	return atomic_load(&gate.accepted) - atomic_load(&gate.own);
}

/* Start as many workers as seem to be needed: nobody tells how many sessions are stuck. */
static void open_up(void)
{
	gate.burst = deadline_passed(gate.growth) ? 1 : gate.burst * GROWTH;
	if (gate.burst > BURST)
		gate.burst = BURST;
	gate.growth = deadline_after_ms(GROWTH_MS);
	for (unsigned i = 0; i < gate.burst; i++)
		connect_once();
}

/* Has the connection that looks been closed by its worker (or could not be made)? */
static bool is_served(void)
{
	struct pollfd set = { .fd = gate.looker, .events = POLLIN };

	if (gate.looker < 0)
		return true;
	if (poll(&set, 1, 0) == 0)
		return false;
	close(gate.looker);
	gate.looker = -1;
	return true;
}

/* Look whether a connection is served; if not, somebody else may be stuck as well. */
static void look(void)
{
	if (!is_served()) {
		open_up();
		return;
	}
	gate.looker = connect_own();
	if (gate.looker >= 0)
		(void)shutdown(gate.looker, SHUT_WR);
}

static int pause_ms(void)
{
	if (atomic_load(&gate.hurry))
		return HURRY_MS;
	return atomic_load(&gate.looking) ? LOOK_MS : REGULAR_MS;
}

/*
 * Who connected before the last look and has not even negotiated yet holds a worker, or is in the
 * way of somebody who waits for one: each is made up for by a connection of ours. While others come
 * and negotiate they hide him here; but then each of them makes libmilter start a worker.
 */
static void make_up(long others)
{
	static long before;
	long silent = before - atomic_load(&gate.settled);

	before = others;
	if (silent <= 0)
		return;
	if (silent > BURST)
		silent = BURST;
	atomic_fetch_add(&gate.settled, silent);
	atomic_fetch_add(&gate.late, silent);
	for (long i = 0; i < silent; i++)
		connect_once();
}

/* Is there anybody whom somebody may be stuck behind? */
static bool is_quiet(long others)
{
	bool came = others > atomic_load(&gate.seen);

	if (came)
		atomic_store(&gate.seen, others);
	return !came && atomic_load(&gate.waiting) == 0 && others <= atomic_load(&gate.settled);
}

/* Go on looking as long as anybody waits or connects, and a little longer. */
static void look_or_rest(void)
{
	static struct deadline rest;
	long others = count_others();

	if (!is_quiet(others))
		rest = deadline_after_ms(REGULAR_MS);
	if (!deadline_passed(rest)) {
		make_up(others);
		look();
		return;
	}
	atomic_store(&gate.late, 0);
	atomic_store(&gate.looking, false);
	if (gate.looker >= 0)
		close(gate.looker);
	gate.looker = -1;
	connect_once();
}

static void *gate_main(void *unused)
{
	struct pollfd set = { .fd = gate.wake, .events = POLLIN };

	(void)unused;
	for (;;) {
		bool asked = poll(&set, 1, pause_ms()) > 0;
		uint64_t count;

		if (asked)
			(void)!read(gate.wake, &count, sizeof(count));
		if (atomic_load(&gate.hurry))
			connect_once();
		else if (!asked)
			look_or_rest();
		else if (atomic_load(&gate.waiting) >= threads_workers())
			open_up();
	}
	return NULL;
}

int gate_start(const struct listen_setting *listen, struct err *err)
{
	int fd = socket_connect(listen), errnum;

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

static void wake(void)
{
	const uint64_t one = 1;

	(void)!write(gate.wake, &one, sizeof(one));
}

void gate_enter(void)
{
	unsigned waiting = atomic_fetch_add(&gate.waiting, 1) + 1;

	if (waiting >= threads_workers() || !atomic_exchange(&gate.looking, true))
		wake();
}

void gate_heard(void)
{
	long late = atomic_load(&gate.late);

	while (late > 0 && !atomic_compare_exchange_weak(&gate.late, &late, late - 1))
		;
	if (late <= 0)
		atomic_fetch_add(&gate.settled, 1);
}

void gate_leave(void)
{
	atomic_fetch_sub(&gate.waiting, 1);
}

void gate_hurry(void)
{
	atomic_store(&gate.hurry, true);
	wake();
}

/* Somebody who connects is looked after, whoever that is. */
static void note_accepted(int fd)
{
	stream_opened(fd);
	atomic_fetch_add(&gate.accepted, 1);
	if (count_others() > atomic_load(&gate.seen) && !atomic_exchange(&gate.looking, true))
		wake();
}

/*
 * Is there memory for a session? Without, libmilter would let all others wait for seconds, longer
 * each time, and end at the 16th. Who is let go of at once is put off by his mail server.
 */
static bool has_memory(void)
{
	void *volatile block = malloc(SESSION_MEMORY);
	bool enough = block != NULL;

	free(block);
	return enough;
}

/*
 * In a crowd, the listener has so little to do for each who comes that the scheduler would let it
 * go before the threads that have an answer to give. Who waits outside has no deadline yet.
 */
static void let_others_go_first(void)
{
	static int64_t rest_until_us; /* only on the listener's thread */
	int64_t begin_us, took_us;

	if (stream_count() < CROWD)
		return;
	begin_us = clock_now_us();
	if (begin_us < rest_until_us)
		return;
	(void)sched_yield();
	took_us = clock_now_us() - begin_us;
	if (took_us >= LONG_YIELD_US)
		rest_until_us = begin_us + (1 + YIELD_REST) * took_us;
}

/*
 * accept() as libmilter calls it: the program's own definition comes before the C library's in the
 * order in which the dynamic linker looks names up. Only the pauses and the look at the memory are
 * added; libmilter treats EMFILE, ENFILE, ENOMEM and ENOBUFS as "try again", and does so at once.
 * The label keeps clear of the C library's prototype, whose argument types differ from system to
 * system.
 */
int patient_accept(int fd, struct sockaddr *address, socklen_t *length) __asm__("accept");

int patient_accept(int fd, struct sockaddr *address, socklen_t *length)
{
	const struct timespec pause = { .tv_nsec = EXHAUSTED_PAUSE_MS * 1000000L };
	int accepted, errnum;

	let_others_go_first();
	accepted = accept4(fd, address, length, SOCK_CLOEXEC);
	errnum = errno;
	if (accepted < 0 &&
		(errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOBUFS))
		nanosleep(&pause, NULL);
	if (accepted >= 0)
		note_accepted(accepted);
	if (accepted >= 0 && !has_memory()) {
		close(accepted);
		accepted = -1;
		errnum = ENOMEM;
	}
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
