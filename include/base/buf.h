/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing byte buffer that is born with a maximum.
 *
 * It remembers a failure (out of memory, or the maximum reached): once `failed`, every append
 * returns false and changes nothing, so a series of appends needs one check at its end. Contents
 * may hold NUL bytes; one NUL that is not counted always follows them. Not thread-safe.
 */
#ifndef SPAMBRIDGE_BASE_BUF_H
#define SPAMBRIDGE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* never NULL after the first successful append; see buf_text() */
	size_t length;
	size_t capacity;
	size_t max_bytes;
	bool failed;
};

/* Make `buf` empty with the given maximum of content bytes. Allocates nothing. */
void buf_init(struct buf *buf, size_t max_bytes);

/* Free the contents and make `buf` empty again, its maximum kept and its failure forgotten. */
void buf_free(struct buf *buf);

/* Forget contents and failure, keep the memory. */
void buf_clear(struct buf *buf);

/* Make room for `bytes` more in one step. False when that exceeds the maximum or memory. */
bool buf_reserve(struct buf *buf, size_t bytes);

/* Append bytes, a string, one byte, formatted text. False when the buffer has failed. */
bool buf_append(struct buf *buf, const void *bytes, size_t length);
bool buf_puts(struct buf *buf, const char *text);
bool buf_putc(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append text with each LF (or CRLF) written as CRLF; other bytes as they are. */
bool buf_put_crlf(struct buf *buf, const char *text, size_t length);

/* Remove the first `bytes` bytes (at most all). */
void buf_consume(struct buf *buf, size_t bytes);

/* The contents as a string; "" when empty. Valid until the next change. */
const char *buf_text(const struct buf *buf);

/* Hand the contents over to the caller, who frees them; NULL when failed or empty. */
char *buf_steal(struct buf *buf);

#endif
