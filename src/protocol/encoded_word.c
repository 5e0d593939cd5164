/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded words of header fields (RFC 2047). */
#include "protocol/encoded_word.h"

#include "protocol/base64.h"

bool encoded_word_take(struct cursor *at, struct encoded_word *ret_word)
{
	struct encoded_word word;
	struct cursor try = *at;

	if (!cursor_literal(&try, "=?") || !cursor_until(&try, '?', &word.charset) ||
		!cursor_byte(&try, '?'))
		return false;
	word.is_q = cursor_literal_nocase(&try, "Q?");
	if (!word.is_q && !cursor_literal_nocase(&try, "B?"))
		return false;
	word.text = cursor_over(try.at, 0);
	(void)cursor_until(&try, '?', &word.text);
	if (!cursor_literal(&try, "?="))
		return false;
	*at = try;
	*ret_word = word;
	return true;
}

/* RFC 2047 section 4.2: '_' is a blank, =XX a byte. */
static void decode_q(struct buf *out, struct cursor text)
{
	while (!cursor_at_end(&text)) {
		char c = *text.at++;

		if (c == '=')
			(void)cursor_hex(&text, &c);
		else if (c == '_')
			c = ' ';
		buf_putc(out, c);
	}
}

void encoded_word_decode(const struct encoded_word *word, struct buf *out)
{
	if (word->is_q)
		decode_q(out, word->text);
	else
		base64_get(out, word->text.at, cursor_left(&word->text));
}
