/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The milter socket's place in the file system: never takes over from a running copy, removes what
 * a dead one left, and is never open wider than configured, not even for a moment.
 */
#ifndef SPAMBRIDGE_DAEMON_SOCKET_H
#define SPAMBRIDGE_DAEMON_SOCKET_H

#include <sys/types.h>

#include "base/err.h"
#include "config/settings.h"

/* What is to be put back when the socket has been made. */
struct socket_making {
	mode_t umask_before;
	gid_t group_before;
	bool group_changed;
};

/*
 * Before the socket is made: refuse when a live copy listens there or something else has the name,
 * remove a stale socket, and set umask and group so that the new one is right from the moment it
 * exists. Call while the process has one thread. -1 with the reason.
 */
int socket_prepare(
	const struct settings *settings, struct socket_making *ret_making, struct err *err);

/* After it was made (or failed to be): put umask and group back; check mode and group. */
int socket_finish(
	const struct settings *settings, const struct socket_making *making, struct err *err);

/* Remove the socket file at the end. */
void socket_remove(const struct settings *settings);

/*
 * Listen on a unix socket of our own at `path` with exactly `mode`; a stale one is replaced, a live
 * one is an error. Returns the descriptor, or -1 with the reason.
 */
int socket_listen_unix(const char *path, mode_t mode, struct err *err);

/* Make a connected or connecting non-blocking socket to a milter address; -1 with errno set. */
int socket_connect(const struct listen_setting *listen);

#endif
