/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which policy applies to an address: the most specific section wins, field by field.
 *
 * An alias (alias_table) stands for its mailbox. The order is: the address, the address without
 * its sub-address (recipient_delimiter), its
 * domain, the nearest ".parent", farther parents, policy {}. Addresses compare without regard to
 * case, a trailing dot of the domain, IDN spelling and quotes that are not needed. An address that
 * is none (empty, without a domain) gets policy {}. Pure, and its cost does not grow with the
 * number of sections.
 */
#ifndef SPAMBRIDGE_POLICY_LOOKUP_H
#define SPAMBRIDGE_POLICY_LOOKUP_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/settings.h"

/*
 * The policy for mail to `recipient` (without angle brackets). Every field is set, each with its
 * origin. Strings are borrowed from the snapshot.
 */
void policy_lookup(
	const struct settings *settings, const char *recipient, struct policy_fields *ret_fields);

/*
 * The policy for mail that is our own `sender`'s (an address, or NULL): the sender {} sections of
 * the address and its domains in the same order, outbound {}, and policy {} for what those do not
 * set, except its lists of exceptions. Aliases play no part.
 */
void policy_lookup_outbound(
	const struct settings *settings, const char *sender, struct policy_fields *ret_fields);

/*
 * Append for a person which policy applies to an address and why: what was looked for, then each
 * field with its value and the section that sets it. False when `out` has failed.
 */
bool policy_explain(const struct settings *settings, const char *address, struct buf *out);

/* The same for a sender of outbound mail. */
bool policy_explain_outbound(const struct settings *settings, const char *sender, struct buf *out);

/* Append `domain "example.com" at FILE:LINE`, `FILE:LINE` or `default`. */
bool origin_print(const struct origin *origin, struct buf *out);

#endif
