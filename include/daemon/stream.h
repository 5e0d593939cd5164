/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libmilter reads from the mail server, read ahead.
 *
 * The library reads a command's five first bytes, then the rest, and polls before each and before
 * the command: five system calls for each header field, two thirds of what it costs to take a
 * message (libmilter/engine.c, comm.c). Therefore read() and poll() of this program fill a buffer
 * with all that has come, and give the library its pieces from there. Only for connections that
 * libmilter accepted, and only on its workers: such a thread goes on with one connection until
 * there is nothing left to be read, so that one buffer a thread is enough.
 */
#ifndef SPAMBRIDGE_DAEMON_STREAM_H
#define SPAMBRIDGE_DAEMON_STREAM_H

/* libmilter has accepted a connection. */
void stream_opened(int fd);

#endif
