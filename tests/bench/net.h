/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets, options and figures that the programs of the benchmark share. */
#ifndef SPAMBRIDGE_BENCH_NET_H
#define SPAMBRIDGE_BENCH_NET_H

#include <stddef.h>
#include <stdint.h>

/* Say what went wrong, with the system's words for errno where it is set, and exit with 1. */
void die(const char *what) __attribute__((noreturn));

/* The monotonic clock, nanoseconds. */
int64_t now_ns(void);

/* A number of an option, at least `least`; exits with 2 when it is none. */
long option_number(const char *text, long least);

/*
 * An address is unix:PATH, or a port of 127.0.0.1. net_connect() gives a socket that does not block
 * and whose connection may be under way; -1 while the listener's queue is full. net_listen() gives
 * a listening one, which does not block either. Both exit on anything else.
 */
int net_connect(const char *address);
int net_listen(const char *address);

/* Times, nanoseconds, and what is asked of them. */
struct samples {
	int64_t *times;
	size_t count, room;
};

void samples_add(struct samples *samples, int64_t time_ns);

/* The time below which `share` (0 to 1) of them lie, microseconds; sorts. 0 without any. */
double samples_share_us(struct samples *samples, double share);

#endif
