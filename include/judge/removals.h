/* SPDX-License-Identifier: BSD-2-Clause */
/* Which header fields of a message are removed: forged ones, and those a scorer names. */
#ifndef SPAMBRIDGE_JUDGE_REMOVALS_H
#define SPAMBRIDGE_JUDGE_REMOVALS_H

#include <stdbool.h>

#include "mail/edits.h"
#include "mail/headers.h"

/*
 * All fields that are reserved to a filter (with `keep_reserved` release marks alone) and those that `edits` (may be
 * NULL) names, each once, from the last to the first. The scorer counts copies of a field in what
 * it was sent, where reserved ones are gone already. The caller frees *ret. False: no memory.
 */
bool removals_build(const struct header_list *list, bool keep_reserved,
	const struct message_edits *edits, struct header_instance **ret, size_t *ret_count);

#endif
