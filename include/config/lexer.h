/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words, strings and signs of a configuration text, with the line of each. Reads as libConfuse's
 * scanner does, but blanks comments and bytes that mean nothing, and notes every error.
 */
#ifndef SPAMBRIDGE_CONFIG_LEXER_H
#define SPAMBRIDGE_CONFIG_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/complaints.h"

/* One word or string with its quotes, bytes: libConfuse takes quadratic time over a long word. */
#define LEXER_WORD_MAX 16384

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,  /* bare or in quotes */
	TOKEN_OPEN,  /* { */
	TOKEN_CLOSE, /* } */
	TOKEN_EQUALS,
	TOKEN_COMMA,
	TOKEN_BAD, /* a word whose error has been noted */
};

struct token {
	enum token_kind kind;
	size_t start, end; /* place in the text */
	unsigned line;
};

struct lexer {
	struct buf *text;              /* borrowed; comments are blanked in it */
	struct complaints *complaints; /* borrowed */
	size_t position;
	unsigned line;     /* begins at 1 */
	struct token next; /* looked at, not taken */
	bool has_next;
};

/* Take the next token; at the end of the text it is TOKEN_END, again and again. */
struct token lexer_next(struct lexer *lexer);

/* The next token without taking it. */
struct token lexer_peek(struct lexer *lexer);

/* Where what was taken so far ends. */
size_t lexer_taken(const struct lexer *lexer);

/* Does an equals sign follow this token on its line? */
bool lexer_before_equals(const struct lexer *lexer, const struct token *token);

/*
 * Hide a part that was taken from libConfuse. Line ends are what it passes over one by one: its
 * scanner takes quadratic time over a long run of blanks.
 */
void lexer_blank(struct lexer *lexer, size_t from, size_t to);

/* Append a word without its quotes and escapes. False when `out` has failed. */
bool token_text(const struct lexer *lexer, const struct token *token, struct buf *out);

#endif
