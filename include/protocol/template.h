/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The administrator's text of an SMTP reply with fields in it:
 * %{score} %{required} %{id} %{queue_id} %{sender} %{recipient} %{tests}, and %% for a percent
 * sign. The result is one line of printable ASCII whatever the values hold.
 */
#ifndef SPAMBRIDGE_PROTOCOL_TEMPLATE_H
#define SPAMBRIDGE_PROTOCOL_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* What the fields stand for. Texts are borrowed, untrusted, NULL when unknown (shown as "-"). */
struct template_facts {
	int32_t score;    /* thousandths */
	int32_t required; /* thousandths */
	bool has_score;
	bool has_required;
	const char *id; /* of the quarantine item or the reference in the log */
	const char *queue_id;
	const char *sender; /* "": the null sender, shown as <> */
	const char *recipient;
	const char *tests; /* names joined by commas */
};

/*
 * Check a template when the configuration is read: an unknown field, a '%' that begins none, a
 * byte that is no printable ASCII, or more than LIMIT_REPLY_TEXT bytes is an error that says what
 * is known. Returns 0 or -1.
 */
int template_check(const char *text, struct err *err);

/*
 * Append the expansion, cut at LIMIT_REPLY_TEXT bytes. In values everything but letters, digits
 * and a few signs of addresses becomes '?'; what template_check() would refuse is copied as it
 * stands or becomes '?'. A '%' of the result is a plain one. False: `out` failed.
 */
bool template_expand(struct buf *out, const char *text, const struct template_facts *facts);

/*
 * Append `text` as smfi_setreply() must have it: each '%' doubled (Sendmail throws away a reply
 * with a single one, Postfix drops it), at most LIMIT_REPLY_TEXT bytes, no pair cut in two.
 */
bool template_for_milter(struct buf *out, const char *text);

#endif
