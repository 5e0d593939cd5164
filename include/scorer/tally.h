/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How exchanges with a server ended, counted since the daemon started: shared by the pools of all
 * configurations in which the server stands under the same name, so that a reload forgets nothing.
 * Thread-safe.
 */
#ifndef SPAMBRIDGE_SCORER_TALLY_H
#define SPAMBRIDGE_SCORER_TALLY_H

#include <stdatomic.h>

struct tally {
	atomic_uint owners;
	atomic_uint_fast64_t answered, refused, nonsense, silent, given_up;
};

/* All zero, with one owner; NULL when out of memory. */
struct tally *tally_new(void);
struct tally *tally_ref(struct tally *tally);
void tally_free(struct tally **tally);

#endif
