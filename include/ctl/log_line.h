/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the daemon's line about a message (spambridge(8), LOG) back. Pure. */
#ifndef SPAMBRIDGE_CTL_LOG_LINE_H
#define SPAMBRIDGE_CTL_LOG_LINE_H

#include <stdbool.h>

#include "base/limits.h"
#include "base/strlist.h"

/* Keys and their values, decoded, in the order of the line. */
struct log_line {
	struct strlist keys;
	struct strlist values;
	char *logged; /* what the log put in front: time, host, program; "" for none */
};

/*
 * Parse a line whose first " id=" (or its beginning) starts a message's pairs. False for every
 * other line; *ret_line is then empty. Keys that are not known yet are kept.
 */
bool log_line_parse(const char *text, struct log_line *ret_line);
void log_line_free(struct log_line *line);

/* The value of a key; NULL when it is missing or "-". */
const char *log_line_value(const struct log_line *line, const char *key);

/* One entry of the value of `users`. */
struct logged_user {
	char name[LIMIT_SCORE_USER + 1];
	char result[32]; /* the score, or why there is none */
};

/* Take the next entry at *at, which moves behind it. False: there is none, or it is none. */
bool log_line_user(const char **at, struct logged_user *ret_user);

#endif
