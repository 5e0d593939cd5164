/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 (FIPS 180-4) by libcrypto, fed in pieces. */
#ifndef SPAMBRIDGE_BASE_DIGEST_H
#define SPAMBRIDGE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_SIZE      32
#define DIGEST_TEXT_SIZE 65 /* lower-case hex with its NUL */

struct digest; /* one computation under way */

/* Begin; NULL when out of memory. */
struct digest *digest_new(void);
void digest_free(struct digest **digest);

/* Feed bytes. False when the library failed; digest_finish() then fails too. */
bool digest_add(struct digest *digest, const void *bytes, size_t length);

/* Write the 32 bytes; the computation is over. */
bool digest_finish(struct digest *digest, unsigned char ret_bytes[DIGEST_SIZE]);

/* As lower-case hex; returns `text`, which has DIGEST_TEXT_SIZE bytes. */
const char *digest_text(const unsigned char bytes[DIGEST_SIZE], char *text);

#endif
