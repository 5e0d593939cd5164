/* SPDX-License-Identifier: BSD-2-Clause */
/* Having the configured scorer learn from held messages. */
#ifndef SPAMBRIDGE_CTL_QUARANTINE_LEARN_H
#define SPAMBRIDGE_CTL_QUARANTINE_LEARN_H

#include "ctl/quarantine.h"
#include "scorer/request.h"

enum learn_as {
	LEARN_HAM = SCAN_TO_LEARN_HAM,
	LEARN_SPAM = SCAN_TO_LEARN_SPAM,
};

/*
 * Send one sound item to the first scorer of desk->settings as what it is: with the same fields in
 * front that it was scored with, and without X-Spam fields. Messages larger than max_scan_size are
 * refused: their head was scored, and learning a head teaches nothing. -1 with the reason.
 */
int learn_item(struct desk *desk, const struct stored *stored, enum learn_as as, struct err *err);

/* Give up the connections that learn_item() keeps. */
void learn_end(void);

#endif
