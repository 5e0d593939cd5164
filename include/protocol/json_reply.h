/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading JSON that a scorer sent: strictness and limits in one place, and the few readers that
 * the reply parsers share. Used inside the protocol room only.
 */
#ifndef SPAMBRIDGE_PROTOCOL_JSON_REPLY_H
#define SPAMBRIDGE_PROTOCOL_JSON_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/verdict.h"

/* json_decref as a cleanup. */
static inline void json_release(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

/*
 * Parse a whole reply. Refused: more than LIMIT_HTTP_REPLY bytes, deeper than LIMIT_JSON_DEPTH,
 * duplicate keys, NUL bytes, \u0000, nan, numbers out of range, text behind the value, invalid
 * UTF-8 (unless `mend_utf8`: then each invalid byte of a value counts as U+FFFD). NULL with
 * ret->status (VERDICT_MALFORMED, or VERDICT_ERROR: out of memory) and ret->err set; the caller
 * releases the value.
 */
json_t *json_reply_load(const char *bytes, size_t length, bool mend_utf8, struct verdict *ret);

/*
 * A JSON number as thousandths, rounded; with `text_allowed` also a string that score_parse()
 * takes. False for anything else and beyond LIMIT_SCORE_MILLI.
 */
bool json_reply_score(const json_t *value, bool text_allowed, int32_t *ret_milli);

/*
 * A copy of a string's text for people: printable ASCII, white space as single blanks, cut at
 * `max_bytes`. NULL when out of memory; the caller frees.
 */
char *json_plain_text(const json_t *string, size_t max_bytes);

/* Note that a reply is no verdict: VERDICT_MALFORMED, with the reason. Returns -1. */
int json_reply_bad(struct verdict *ret, const char *what);

#endif
