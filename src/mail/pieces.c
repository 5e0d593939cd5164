/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes in memory, in pieces of one size. */
#include "mail/pieces.h"

#include <stdlib.h>

/* The piece that takes the next byte; NULL when out of memory. */
static struct buf *last_piece(struct pieces *pieces)
{
	size_t capacity = pieces->capacity == 0 ? 1 : pieces->capacity * 2;
	struct buf *items = pieces->items;

	if (pieces->count > 0 && items[pieces->count - 1].length < PIECES_SIZE)
		return &items[pieces->count - 1];
	if (pieces->count == pieces->capacity) {
		items = realloc(items, capacity * sizeof(*items));
		if (items == NULL)
			return NULL;
		pieces->items = items;
		pieces->capacity = capacity;
	}
	buf_init(&items[pieces->count], PIECES_SIZE);
	return &items[pieces->count++];
}

bool pieces_append(struct pieces *pieces, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		struct buf *piece = last_piece(pieces);
		size_t part = length;

		if (piece == NULL)
			return false;
		if (part > PIECES_SIZE - piece->length)
			part = PIECES_SIZE - piece->length;
		if (!buf_append(piece, at, part))
			return false;
		pieces->length += part;
		at += part;
		length -= part;
	}
	return true;
}

size_t pieces_peek(const struct pieces *pieces, size_t offset, const void **ret_bytes)
{
	const struct buf *piece;

	if (offset >= pieces->length)
		return 0;
	piece = &pieces->items[offset / PIECES_SIZE];
	*ret_bytes = piece->data + offset % PIECES_SIZE;
	return piece->length - offset % PIECES_SIZE;
}

void pieces_free(struct pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++)
		buf_free(&pieces->items[i]);
	free(pieces->items);
	*pieces = (struct pieces){ 0 };
}
