/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending one record to systemd's journal, with fields (sd_journal_send(3)).
 *
 * Besides MESSAGE, PRIORITY, SYSLOG_FACILITY (mail) and SYSLOG_IDENTIFIER a record has a field
 * SPAMBRIDGE_ID when it is about a message, and one for each pair of a record of pairs: `score=7.4`
 * becomes SPAMBRIDGE_SCORE=7.4. What is "-" has no field.
 */
#ifndef SPAMBRIDGE_BASE_LOG_JOURNAL_H
#define SPAMBRIDGE_BASE_LOG_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

struct journal_record {
	const char *program; /* borrowed, as is the text */
	int priority;        /* of syslog(3) */
	const char *text;
	size_t id_length; /* the text begins with a queue id of so many bytes; 0: it does not */
	bool pairs;       /* the text consists of key=value pairs, and perhaps other words */
};

/* May block for as long as the journal does. Returns -1 when there is none. */
int log_journal_send(const struct journal_record *record);

/*
 * Find the next pair at or behind *position of a record of pairs: `key` and `value` begin at the
 * returned offsets and are as long as they say. False at the end. Pure.
 */
struct journal_pair {
	size_t key, key_length, value, value_length;
};
bool journal_next_pair(const char *text, size_t *position, struct journal_pair *ret_pair);

#endif
