/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling the caller of a scan that it waits. */
#include "scorer/listener.h"

struct listener_clock listener_begin(struct scan_listener listener)
{
	return (struct listener_clock){ listener, deadline_after_ms(SCAN_FIRST_WAIT_MS), true };
}

void listener_tell(struct listener_clock *clock)
{
	if (!deadline_passed(clock->next))
		return;
	if (clock->listener.waiting != NULL)
		clock->listener.waiting(clock->listener.context, clock->first);
	clock->first = false;
	clock->next = deadline_after_ms(SCAN_NEXT_WAIT_MS);
}
