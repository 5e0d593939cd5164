/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For unit tests: a spamd on a unix socket, and rspamd and a JSON service on a TCP port, in a
 * process of their own. They give every message 8 points of 5.
 */
#ifndef SPAMBRIDGE_TESTS_SCORERS_H
#define SPAMBRIDGE_TESTS_SCORERS_H

#include <stdint.h>
#include <sys/types.h>

struct scorers {
	char spamd[128]; /* path of the socket */
	uint16_t http;   /* on 127.0.0.1 */
	pid_t process;
};

/* The score that all of them give, thousandths. */
#define SCORERS_SCORE 8000

/* Start them; the socket of spamd is made in `directory`. */
void scorers_start(struct scorers *scorers, const char *directory);
void scorers_stop(struct scorers *scorers);

#endif
