/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that runs out while a fuzz target works, for libFuzzer and the replay alike.
 *
 * A program that links starve.c with $(STARVE_WRAPS) sends the allocations of our own code and of
 * jansson through it. The target does its work once as ever, which counts the allocations, and once
 * more with one of them failing, or with all from that one on: the bytes of the input choose.
 */
#ifndef SPAMBRIDGE_TESTS_FUZZ_STARVE_H
#define SPAMBRIDGE_TESTS_FUZZ_STARVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Count from here; none fails. */
void starve_count(void);

/* From here on one of as many as were counted fails. */
void starve_begin(const uint8_t *data, size_t size);

/* Has one failed since starve_begin()? Never so while they are counted. */
bool starve_failed(void);

/* None fails any more. Has one? */
bool starve_end(void);

#endif
