/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libmilter reads from the mail server, read ahead, and what it answers, collected.
 *
 * The library reads a command's five first bytes, then the rest, and polls before each and before
 * the command: five system calls for each header field, two thirds of what it costs to take a
 * message (libmilter/engine.c, comm.c). Therefore read() and poll() of this program fill a buffer
 * with all that has come, and give the library its pieces from there. Only for connections that
 * libmilter accepted, and only on its workers: such a thread goes on with one connection until
 * there is nothing left to be read, so that one buffer a thread is enough.
 *
 * It gives a connection back that says nothing for a millisecond, through a pipe to the thread that
 * waits for all of them and from there to whichever worker is free: our poll() stays longer.
 *
 * And it sends each header field and recipient that is added or removed by itself, which wakes the
 * mail server each time: our writev() keeps these, and sends them with the answer.
 */
#ifndef SPAMBRIDGE_DAEMON_STREAM_H
#define SPAMBRIDGE_DAEMON_STREAM_H

#include <stdbool.h>

/* libmilter has accepted a connection. */
void stream_opened(int fd);

/* Connections of libmilter's that are open, count. */
unsigned stream_count(void);

/*
 * From here on, and until this is called with false, what libmilter writes on this thread is kept;
 * then it is sent with what libmilter writes next. To be ended before each callback returns.
 */
void stream_collect(bool on);

/* Send what is kept at once. False when the mail server has hung up. */
bool stream_send(void);

#endif
