/* SPDX-License-Identifier: BSD-2-Clause */
/* The way past libmilter's starving workers, its spinning accept() and its hold of signals. */
#include "daemon/gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

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

/* How long accept() pauses when descriptors or memory have run out, milliseconds. */
#define EXHAUSTED_PAUSE_MS 50

static struct {
	const struct listen_setting *listen;
	pthread_t thread;
	int wake;
	atomic_bool hurry;
} gate = { .wake = -1 };

static void connect_once(void)
{
	int fd = socket_connect(gate.listen);

	if (fd >= 0)
		close(fd);
}

static void *gate_main(void *unused)
{
	struct pollfd set = { .fd = gate.wake, .events = POLLIN };

	(void)unused;
	for (;;) {
		uint64_t asked = 1;

		(void)poll(&set, 1, atomic_load(&gate.hurry) ? HURRY_MS : REGULAR_MS);
		if (set.revents != 0 && read(gate.wake, &asked, sizeof(asked)) < 0)
			asked = 1;
		for (uint64_t i = 0; i < asked && i < BURST; i++)
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
	const uint64_t one = 1;

	(void)!write(gate.wake, &one, sizeof(one));
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
