/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What another configuration would have done to messages of the log, counted by domain. Pure.
 *
 * A line tells the score but only the first of several recipients, so messages to several are judged
 * only when each was scored as a user of its own (key `users`), under the domain of the first; how
 * many were not, and why, is counted too.
 */
#ifndef SPAMBRIDGE_CTL_WHAT_IF_H
#define SPAMBRIDGE_CTL_WHAT_IF_H

#include <stdbool.h>
#include <stddef.h>

#include "config/key_set.h"
#include "config/settings.h"
#include "ctl/log_line.h"

/* Words of the log's `action`: what is not known is counted as the last one. */
#define WHAT_IF_ACTIONS 8

/* Messages by what was done and what would be. */
struct what_if_domain {
	size_t counts[WHAT_IF_ACTIONS][WHAT_IF_ACTIONS];
};

struct what_if {
	const struct settings *settings; /* borrowed: the other configuration */
	struct key_set names;
	struct what_if_domain *domains; /* one a name */
	size_t capacity;
	size_t several; /* not judged: several recipients */
	size_t unknown; /* not judged: never scored, or failed for a reason of our own */
};

/* Make empty. False when out of memory. */
bool what_if_init(struct what_if *what_if, const struct settings *settings);
void what_if_free(struct what_if *what_if);

/* Judge one message again. False when out of memory. */
bool what_if_judge(struct what_if *what_if, const struct log_line *line);

/* The word of an action's number (below WHAT_IF_ACTIONS). */
const char *what_if_action(size_t number);

/* Messages of a domain, and those with another outcome. */
size_t what_if_messages(const struct what_if_domain *domain);
size_t what_if_changes(const struct what_if_domain *domain);

#endif
