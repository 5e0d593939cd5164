/* SPDX-License-Identifier: BSD-2-Clause */
/* A position in borrowed bytes for parsers. */
#include "base/cursor.h"

#include <string.h>
#include <strings.h>

struct cursor cursor_over(const char *bytes, size_t length)
{
	return (struct cursor){ bytes, bytes + length };
}

bool cursor_at_end(const struct cursor *cursor)
{
	return cursor->at == cursor->end;
}

size_t cursor_left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

bool cursor_byte(struct cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

bool cursor_literal(struct cursor *cursor, const char *literal)
{
	size_t length = strlen(literal);

	if (cursor_left(cursor) < length || memcmp(cursor->at, literal, length) != 0)
		return false;
	cursor->at += length;
	return true;
}

bool cursor_literal_nocase(struct cursor *cursor, const char *literal)
{
	size_t length = strlen(literal);

	if (cursor_left(cursor) < length || strncasecmp(cursor->at, literal, length) != 0)
		return false;
	cursor->at += length;
	return true;
}

bool cursor_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
		cursor->at++;
	return true;
}

bool cursor_number(struct cursor *cursor, uint64_t max, uint64_t *ret_number)
{
	const char *at = cursor->at;
	uint64_t number = 0;

	for (; at < cursor->end && *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (digit > max || number > max / 10 || number * 10 > max - digit)
			return false;
		number = number * 10 + digit;
	}
	if (at == cursor->at)
		return false;
	cursor->at = at;
	*ret_number = number;
	return true;
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cursor_hex(struct cursor *cursor, char *ret_byte)
{
	int high, low;

	if (cursor_left(cursor) < 2)
		return false;
	high = hex_value(cursor->at[0]);
	low = hex_value(cursor->at[1]);
	if (high < 0 || low < 0)
		return false;
	cursor->at += 2;
	*ret_byte = (char)(high << 4 | low);
	return true;
}

bool cursor_line(struct cursor *cursor, struct cursor *ret_line)
{
	const char *lf = memchr(cursor->at, '\n', cursor_left(cursor));

	if (lf == NULL)
		return false;
	*ret_line = (struct cursor){ cursor->at, lf };
	if (ret_line->end > ret_line->at && ret_line->end[-1] == '\r')
		ret_line->end--;
	cursor->at = lf + 1;
	return true;
}

bool cursor_until(struct cursor *cursor, char stop, struct cursor *ret_span)
{
	const char *at = memchr(cursor->at, stop, cursor_left(cursor));

	if (at == NULL)
		at = cursor->end;
	if (at == cursor->at)
		return false;
	*ret_span = (struct cursor){ cursor->at, at };
	cursor->at = at;
	return true;
}
