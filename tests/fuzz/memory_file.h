/* SPDX-License-Identifier: BSD-2-Clause */
/* A file for the parts of spambridge that are given a path: it is in memory, and nobody sees it. */
#ifndef SPAMBRIDGE_TESTS_FUZZ_MEMORY_FILE_H
#define SPAMBRIDGE_TESTS_FUZZ_MEMORY_FILE_H

#include <stddef.h>
#include <stdint.h>

/* The path of a regular file that holds these bytes until the next call; one a program. */
const char *memory_file(const uint8_t *data, size_t size);

#endif
