/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A position in borrowed bytes for parsers. Each function returns false on mismatch and then
 * leaves the position alone, so that alternatives can be chained with && and ||.
 */
#ifndef SPAMBRIDGE_BASE_CURSOR_H
#define SPAMBRIDGE_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const char *at;
	const char *end;
};

/* A cursor at the first of `length` bytes, which stay the caller's and must outlive it. */
struct cursor cursor_over(const char *bytes, size_t length);
/* Is nothing left? */
bool cursor_at_end(const struct cursor *cursor);

/* Skip one given byte, a literal, or a literal without regard to ASCII case. */
bool cursor_byte(struct cursor *cursor, char c);
bool cursor_literal(struct cursor *cursor, const char *literal);
bool cursor_literal_nocase(struct cursor *cursor, const char *literal);

/* Skip blanks and tabs; always true. */
bool cursor_blanks(struct cursor *cursor);

/* Digits up to `max`; false when there is none or the number is larger. */
bool cursor_number(struct cursor *cursor, uint64_t max, uint64_t *ret_number);

/* Two hexadecimal digits of either case, which stand for one byte. */
bool cursor_hex(struct cursor *cursor, char *ret_byte);

/*
 * One line up to LF, a CR before it removed; the position moves behind the LF. False when no LF
 * is left.
 */
bool cursor_line(struct cursor *cursor, struct cursor *ret_line);

/* The bytes up to `stop` (which is not skipped) or up to the end; false when there is none. */
bool cursor_until(struct cursor *cursor, char stop, struct cursor *ret_span);

/* Bytes left. */
size_t cursor_left(const struct cursor *cursor);

#endif
