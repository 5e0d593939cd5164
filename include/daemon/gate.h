/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way past three properties of libmilter that would break the deadline.
 *
 * Debian's and Arch's libmilter hand ready sessions to idle worker threads and count a worker as
 * idle until it has woken up, so that sessions which become ready in the same instant are all given
 * to the same few workers and wait for each other's whole scan (libmilter/worker.c). A new
 * connection makes the library start a worker where none is idle, and a worker that has finished
 * its task takes the next ready session: so short connections of our own to our own socket free
 * whoever is stuck. They are made when all workers there are wait for something slow, since then
 * nobody is left to take what is ready; several times more each time while that goes on. A worker
 * may be held by a peer that stops in the middle of a command, too: so, while anything waits and
 * for a second after each connection, one of ours after the other looks whether it is served, and
 * each connection that has not negotiated in time is made up for by one of ours.
 *
 * And accept() that fails for want of descriptors is repeated at once and for ever
 * (libmilter/listener.c), a whole core's worth: our accept() waits a moment first.
 *
 * And a thread of the library waits for SIGHUP, SIGTERM and SIGINT, each an order to stop at once
 * (libmilter/signal.c): our sigwait() never returns, so that they always come to the main thread.
 */
#ifndef SPAMBRIDGE_DAEMON_GATE_H
#define SPAMBRIDGE_DAEMON_GATE_H

#include "base/err.h"
#include "config/settings.h"

/*
 * Know the milter socket and start the thread that makes the connections. Call after the socket
 * listens. -1 with the reason.
 */
int gate_start(const struct listen_setting *listen, struct err *err);

/* A callback begins to wait for something slow, and has done so. Neither blocks. */
void gate_enter(void);
void gate_leave(void);

/* A connection has negotiated, so that it is no silent one. */
void gate_heard(void);

/*
 * libmilter is about to be stopped: smfi_stop() waits for a mutex that its listener holds for up to
 * five seconds, or until a connection comes. From here on one comes all the time.
 */
void gate_hurry(void);

#endif
