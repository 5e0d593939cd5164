/* SPDX-License-Identifier: BSD-2-Clause */
/* The one function of a fuzz target, as libFuzzer and replay.c call it. */
#ifndef SPAMBRIDGE_TESTS_FUZZ_TARGET_H
#define SPAMBRIDGE_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
