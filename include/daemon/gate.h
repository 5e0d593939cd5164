/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way past three properties of libmilter that would break the deadline.
 *
 * Debian's and Arch's libmilter hand ready sessions to idle worker threads and count a worker as
 * idle until it has woken up, so that sessions which become ready in the same instant are all given
 * to the same few workers and wait for each other's whole scan (libmilter/worker.c). A new
 * connection makes the library start a worker where none is idle, and a worker that has finished
 * its task takes the next ready session: so one short connection of our own to our own socket, made
 * when a scan begins to wait, frees whoever is stuck. The same happens to sessions behind peers
 * that connect and then say nothing, or half a word: one connection of ours for each of those.
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

/* A scan (or anything else that takes its time in a callback) begins to wait. Never blocks. */
void gate_open(void);

/* A connection has negotiated, so that it is no silent one. */
void gate_heard(void);

/*
 * libmilter is about to be stopped: smfi_stop() waits for a mutex that its listener holds for up to
 * five seconds, or until a connection comes. From here on one comes all the time.
 */
void gate_hurry(void);

#endif
