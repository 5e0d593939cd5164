/* SPDX-License-Identifier: BSD-2-Clause */
/* Scores as integers in thousandths. */
#include "base/score.h"

#include <stdio.h>

#include "base/cursor.h"
#include "base/limits.h"

/* Up to three decimals as thousandths; further digits are read and cut. */
static bool decimals(struct cursor *cursor, int32_t *ret_milli)
{
	int32_t milli = 0, weight = 100;
	const char *start = cursor->at;

	while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
		milli += (*cursor->at - '0') * weight;
		weight /= 10;
		cursor->at++;
	}
	*ret_milli = milli;
	return cursor->at > start;
}

bool score_parse(const char *text, size_t length, int32_t *ret_milli)
{
	struct cursor cursor = cursor_over(text, length);
	bool negative = cursor_byte(&cursor, '-');
	uint64_t whole;
	int32_t fraction = 0;
	int64_t milli;

	if (!negative)
		(void)cursor_byte(&cursor, '+');
	if (!cursor_number(&cursor, LIMIT_SCORE_MILLI / 1000, &whole))
		return false;
	if (cursor_byte(&cursor, '.') && !decimals(&cursor, &fraction))
		return false;
	milli = (int64_t)whole * 1000 + fraction;
	if (!cursor_at_end(&cursor) || milli > LIMIT_SCORE_MILLI)
		return false;
	*ret_milli = (int32_t)(negative ? -milli : milli);
	return true;
}

const char *score_format(int32_t milli, int decimals_wanted, char *text)
{
	static const unsigned scales[] = { 1, 10, 100, 1000 };
	unsigned size = milli < 0 ? 0u - (unsigned)milli : (unsigned)milli;
	unsigned places = (unsigned)decimals_wanted, scale, unit;

	if (places < 1 || places > 3)
		places = size % 100 == 0 ? 1 : size % 10 == 0 ? 2 : 3;
	scale = scales[places];
	unit = 1000 / scale;
	size = size / unit + (size % unit * 2 >= unit && unit > 1 ? 1 : 0);
	snprintf(text, SCORE_TEXT_SIZE, "%s%u.%0*u", milli < 0 && size > 0 ? "-" : "", size / scale,
		(int)places, size % scale);
	return text;
}
