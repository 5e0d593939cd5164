/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of the control socket: one JSON object a line, each way, UTF-8.
 *
 *	request  {"version":1,"command":"status"}
 *	answer   {"version":1,"ok":true,...}  or  {"version":1,"ok":false,"errors":["..."]}
 */
#ifndef SPAMBRIDGE_PROTOCOL_CONTROL_H
#define SPAMBRIDGE_PROTOCOL_CONTROL_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define CONTROL_VERSION 1

enum control_command {
	CONTROL_STATUS,
	CONTROL_METRICS,
	CONTROL_RELOAD,
};

/*
 * Read one request (a line without its end). Strict: an object, this version, a known command.
 * Returns 0, or -1 with the reason.
 */
int control_request_parse(
	const char *line, size_t length, enum control_command *ret_command, struct err *err);

/* Begin an answer; NULL when out of memory. */
json_t *control_answer_new(bool ok);

/* Append an answer as one line; the answer is released. False when out of memory. */
bool control_answer_print(json_t *answer, struct buf *out);

/* A JSON string of any bytes: what is no UTF-8 is replaced. NULL when out of memory. */
json_t *control_text(const char *text);

#endif
