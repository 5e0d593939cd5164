/* SPDX-License-Identifier: BSD-2-Clause */
/* A message's log line as sentences. Pure. */
#ifndef SPAMBRIDGE_CTL_STORY_H
#define SPAMBRIDGE_CTL_STORY_H

#include "base/strlist.h"
#include "ctl/log_line.h"

/* Append the sentences; they hold text of the message as it is. False when out of memory. */
bool story_tell(const struct log_line *line, struct strlist *sentences);

#endif
