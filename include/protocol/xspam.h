/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The X-Spam-* fields that we add to a message, byte for byte as SpamAssassin 4.0.1 writes its own
 * (PerMsgStatus.pm: _process_header; 10_default_prefs.cf: add_header), whichever engine scored:
 *
 *	X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on HOST
 *	X-Spam-Flag: YES                                  (spam only)
 *	X-Spam-Level: *****                               (one a point, empty below 1, at most 50)
 *	X-Spam-Status: Yes, score=1001.3 required=5.0 tests=A,B
 *		autolearn=no autolearn_force=no version=4.0.1
 *	X-Spam-Partial: yes, scanned=524288 size=9437184  (only the head was scored; ours; size
 *		only where it is known)
 *
 * and, when there is no verdict, one field: `X-Spam-Status: Unscanned, reason=timeout`.
 */
#ifndef SPAMBRIDGE_PROTOCOL_XSPAM_H
#define SPAMBRIDGE_PROTOCOL_XSPAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/headers.h"
#include "mail/verdict.h"

/* Room for every field that xspam_build() can add, bytes. */
#define XSPAM_LIST_SIZE (64 * 1024)

/* What the policy decided, as far as it is seen in the fields. */
struct xspam_facts {
	bool spam;              /* Yes and Flag */
	int32_t required;       /* the threshold that counts here, thousandths */
	bool required_off;      /* no threshold here: No, with the scorer's own required value */
	const char *host;       /* for Checker-Version where the engine names none; borrowed */
	const char *engine;     /* the same, "rspamd": borrowed; NULL: unknown */
	const char *reason;     /* of a missing verdict, when not the status's name; NULL */
	uint64_t scanned_bytes; /* for X-Spam-Partial; 0: not known */
	uint64_t message_bytes;
};

/*
 * Append our fields for a verdict to `list`, then verdict->extra. Values are ready for libmilter
 * with SMFIP_HDR_LEADSPC: leading blank, folds LF and TAB, printable ASCII, lines of at most
 * LIMIT_ADDED_LINE, fields of at most LIMIT_ADDED_HEADER bytes.
 *
 * tests= is sorted by name, at most LIMIT_TESTS_SHOWN of them (those with the largest scores when
 * there are more); a test with a known score is written as SpamAssassin's _TESTSSCORES_ does,
 * NAME=1.5. A score below the threshold is never shown as having reached it (4.96 of 5.0 is 4.9,
 * as SpamAssassin does it). Nothing is added for VERDICT_NONE. False: out of memory.
 */
bool xspam_build(
	struct header_list *list, const struct verdict *verdict, const struct xspam_facts *facts);

/*
 * Append `X-Spam-Orig-To: ADDRESS` for a recipient whose mail somebody else gets. What is no
 * printable ASCII becomes '?', and an address is cut at LIMIT_ORIGINAL_RECIPIENT. False: out of
 * memory.
 */
bool xspam_add_original(struct header_list *list, const char *recipient);

/*
 * Can every field be handed to libmilter as it is? The invariant that tests and fuzzers check:
 * names of printable ASCII without colon, values that begin with a blank, hold only printable
 * ASCII, TAB and LF followed by a blank or TAB and then text, within the limits. 0, or -1 with the
 * reason.
 */
int xspam_check(const struct header_list *list, struct err *err);

#endif
