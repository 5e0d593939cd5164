/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scoring services that speak JSON: a reply whose parts are found by JSON pointers (RFC 6901), and
 * the request object for services that take one.
 */
#ifndef SPAMBRIDGE_PROTOCOL_JSON_VERDICT_H
#define SPAMBRIDGE_PROTOCOL_JSON_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strlist.h"
#include "mail/envelope.h"
#include "mail/verdict.h"

/* Where the parts of a reply are. Borrowed; "" or NULL: the reply has no such part. */
struct json_rules {
	const char *score;      /* pointer; must be set */
	const char *required;   /* pointer: the service's own threshold */
	const char *tests;      /* pointer */
	const char *tests_name; /* member that names a test, where tests are objects; "name" */
	const char *report;     /* pointer: text, becomes X-Spam-Report */
	const char *ok;         /* pointer: must be true */
	const char *error;      /* pointer: text that says what went wrong */
};

/*
 * Is this a JSON pointer? *( "/" *( unescaped / "~0" / "~1" ) ). 0, or -1 with the reason.
 */
int json_pointer_check(const char *pointer, struct err *err);

/*
 * Parse a reply. `ret` gets VERDICT_SCORED, score, required and spam (score >= required; false
 * without a threshold), tests and report. The score is a number or a string that holds one (some
 * services send "1.5"); it must be there: its absence is a failure, never 0. Tests may be an array
 * of strings, an array of objects (their "score" is taken too), an object whose keys are the names
 * (its numbers, or its members' "score", are the scores), or a string with commas; no tests at all
 * or null is no failure. 0, or -1 with VERDICT_MALFORMED (VERDICT_ERROR: out of memory) and err.
 */
int json_verdict_parse(
	const char *bytes, size_t length, const struct json_rules *rules, struct verdict *ret);

/* How to make a request object. Borrowed. */
struct json_request {
	const char *message_member;    /* the member that holds the message */
	bool base64;                   /* as base64; else as text, invalid UTF-8 as U+FFFD */
	const struct strlist *members; /* fixed "name=value" members, strings; NULL: none */
	const struct client *client;   /* facts as members; NULL: none */
	const struct envelope *envelope;
};

/*
 * Append the request object for a message. Facts become the members client_address, client_name,
 * helo, server_name, tls_version, tls_cipher, sender, recipients (an array), queue_id and login,
 * each only when known; a configured member of the same name wins. False: memory, or `out` failed.
 */
bool json_request_build(
	struct buf *out, const struct json_request *request, const char *message, size_t length);

#endif
