/* SPDX-License-Identifier: BSD-2-Clause */
/* The one function of a fuzz target, as libFuzzer and replay.c call it. */
#ifndef SPAMBRIDGE_TESTS_FUZZ_TARGET_H
#define SPAMBRIDGE_TESTS_FUZZ_TARGET_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A reason goes to the log and to terminals: only printable ASCII, whoever is quoted in it. */
static inline void check_reason(const char *text)
{
	for (; *text != '\0'; text++)
		assert(*text >= ' ' && *text < 0x7f);
}

#endif
