/* SPDX-License-Identifier: BSD-2-Clause */
/* The message of the benchmark: an ordinary header and a body of lines, as large as is asked. */
#ifndef SPAMBRIDGE_BENCH_MESSAGE_H
#define SPAMBRIDGE_BENCH_MESSAGE_H

#include "base/buf.h"

struct field {
	const char *name;
	const char *value; /* with the blank that follows the colon; folds are LF and a blank */
};

/* The header fields, in order, until one whose name is NULL. */
extern const struct field message_fields[];

/*
 * Append the body that makes the message `size` bytes long (whole lines, so a little less; at
 * least one line).
 */
void message_put_body(struct buf *out, size_t size);

/* Append what spamd is asked about the whole message: HEADERS, as spambridge does. */
void message_put_request(struct buf *out, size_t size);

#endif
