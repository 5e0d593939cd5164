/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes in memory, in pieces of one size, so that a large body grows without being copied and the
 * next one finds the pages of the last. All pieces are full but the last.
 */
#ifndef SPAMBRIDGE_MAIL_PIECES_H
#define SPAMBRIDGE_MAIL_PIECES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Bytes in a piece: with what buf and malloc() add, 64 KB. */
#define PIECES_SIZE (65536 - 32)

/* An all-zero struct is empty. */
struct pieces {
	struct buf *items; /* owned */
	size_t count;
	size_t capacity; /* of the array */
	size_t length;   /* of all */
};

/* Append bytes. False when out of memory; a part of them may be there then. */
bool pieces_append(struct pieces *pieces, const void *bytes, size_t length);

/* How many bytes there are from `offset` to the end of its piece, 0 at the end of all; valid until a change. */
size_t pieces_peek(const struct pieces *pieces, size_t offset, const void **ret_bytes);

/* Free all and make it empty again. */
void pieces_free(struct pieces *pieces);

#endif
