/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling a caller that it is kept waiting. */
#include "base/listener.h"

struct listener_clock listener_begin(struct listener listener)
{
	return (struct listener_clock){ listener, deadline_after_ms(LISTENER_FIRST_MS), true };
}

void listener_tell(struct listener_clock *clock)
{
	if (!deadline_passed(clock->next))
		return;
	if (clock->listener.waiting != NULL)
		clock->listener.waiting(clock->listener.context, clock->first);
	clock->first = false;
	clock->next = deadline_after_ms(LISTENER_NEXT_MS);
}
