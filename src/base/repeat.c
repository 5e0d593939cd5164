/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens often is said once, then counted, and at the end said to be over. */
#include "base/repeat.h"

bool repeat_note(struct repeat *repeat, int64_t now_us)
{
	if (repeat->on) {
		repeat->count++;
		return false;
	}
	*repeat = (struct repeat){ .on = true, .from_us = now_us };
	return true;
}

enum repeat_news repeat_look(struct repeat *repeat, int64_t now_us, bool early, uint64_t *ret_count,
	int64_t *ret_seconds)
{
	int64_t passed_us = now_us - repeat->from_us;
	bool full = passed_us >= REPEAT_PERIOD_US;

	if (!repeat->on || (!full && !early))
		return REPEAT_NOTHING;
	if (repeat->count == 0) {
		repeat->on = !full;
		return full ? REPEAT_OVER : REPEAT_NOTHING;
	}
	*ret_count = repeat->count;
	*ret_seconds = (passed_us + 500000) / 1000000;
	repeat->count = 0;
	repeat->from_us = now_us;
	return REPEAT_COUNTED;
}

struct deadline repeat_due(const struct repeat *repeat)
{
	if (!repeat->on)
		return deadline_never();
	return (struct deadline){ .at_us = repeat->from_us + REPEAT_PERIOD_US };
}
