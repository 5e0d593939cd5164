/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded words of header fields: "=?" charset "?" encoding "?" encoded-text "?=" (RFC 2047). */
#ifndef SPAMBRIDGE_PROTOCOL_ENCODED_WORD_H
#define SPAMBRIDGE_PROTOCOL_ENCODED_WORD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/cursor.h"

/* Borrows from the text that it was found in. */
struct encoded_word {
	struct cursor
		charset; /* with "*" language behind it, if there is one (RFC 2231 section 5) */
	struct cursor text;
	bool is_q; /* "Q", else "B" (RFC 2047 section 4) */
};

/*
 * Skip one encoded word. False, with the position left alone, when none begins here. White space
 * inside and an empty text are let through, since mail readers differ there: who minds looks.
 */
bool encoded_word_take(struct cursor *at, struct encoded_word *ret_word);

/*
 * Append the bytes that it stands for, in its own character set. What is no digit of base64 is
 * passed over (RFC 2045 section 6.8); a "=" that no two hexadecimal digits follow stays.
 */
void encoded_word_decode(const struct encoded_word *word, struct buf *out);

#endif
