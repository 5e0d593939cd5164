/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For unit tests: a spamd on a unix socket and a TCP port, and rspamd and a JSON service on another
 * port, in a process of their own. They give every message 8 points of 5, and learn what they are
 * told to.
 */
#ifndef SPAMBRIDGE_TESTS_SCORERS_H
#define SPAMBRIDGE_TESTS_SCORERS_H

#include <stdint.h>
#include <sys/types.h>

struct scorers {
	char spamd[128];     /* path of the socket */
	uint16_t spamd_port; /* the same on 127.0.0.1 */
	uint16_t http;       /* there, too */
	pid_t process;
};

/* The score that all of them give, thousandths. */
#define SCORERS_SCORE 8000

/* Start them; the socket of spamd is made in `directory`. */
void scorers_start(struct scorers *scorers, const char *directory);
void scorers_stop(struct scorers *scorers);

#endif
