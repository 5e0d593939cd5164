/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scorer inside the fuzzer's own process, on a unix socket: it reads whatever comes, answers
 * every connection with the bytes that it was last given, and closes.
 */
#ifndef SPAMBRIDGE_TESTS_FUZZ_FAKE_SCORER_H
#define SPAMBRIDGE_TESTS_FUZZ_FAKE_SCORER_H

#include <stddef.h>

/* Start it, once; returns the path of its socket, which is removed when the process ends. */
const char *fake_scorer_start(void);

/* What it answers from now on; the bytes are copied. */
void fake_scorer_answer(const void *bytes, size_t length);

#endif
