/* SPDX-License-Identifier: BSD-2-Clause */
/* Any scoring service that takes a message by POST and answers with JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "protocol/json_verdict.h"
#include "protocol/rspamd.h"
#include "scorer/http_exchange.h"

/* Room for one piece of a message that lies in a file, bytes. */
#define PIECE_SIZE 32768

/* The whole message in one piece, since it becomes a text inside of an object. */
static bool gather(struct buf *out, const struct scan_request *request)
{
	char *scratch = malloc(PIECE_SIZE);
	const void *bytes;
	size_t offset = 0;
	long got = -1;

	buf_init(out, SIZE_MAX / 8);
	if (scratch != NULL && buf_reserve(out, scan_request_length(request)))
		while ((got = scan_request_peek(request, offset, scratch, PIECE_SIZE, &bytes)) >
				0 &&
			buf_append(out, bytes, (size_t)got))
			offset += (size_t)got;
	free(scratch);
	return got == 0;
}

static bool make_object(struct http_exchange *http, const struct scan_request *request)
{
	const struct scorer_setting *scorer = http->scorer;
	bool tell = scorer->envelope == ENVELOPE_MEMBERS;
	const struct json_request object = { .message_member = scorer->message_member,
		.base64 = scorer->message_encoding == MESSAGE_BASE64,
		.members = &scorer->members,
		.client = tell ? scan_request_client(request) : NULL,
		.envelope = tell ? scan_request_envelope(request) : NULL };
	struct buf message;
	bool good = gather(&message, request) &&
		json_request_build(&http->content, &object, buf_text(&message), message.length);

	buf_free(&message);
	return good;
}

static bool add_envelope(struct http_exchange *http, const struct scan_request *request)
{
	struct header_list facts;
	bool good;

	headers_init(&facts, LIMIT_HEADER_BYTES);
	good = rspamd_request_headers(
		       &facts, scan_request_client(request), scan_request_envelope(request)) &&
		http_add_headers(http, &facts);
	headers_free(&facts);
	return good;
}

/* The headers that the administrator wants, and what has to be there besides. */
static bool add_headers(struct http_exchange *http)
{
	const struct scorer_setting *scorer = http->scorer;

	for (size_t i = 0; i < scorer->headers.count; i++)
		if (!http_add_line(http, scorer->headers.items[i]))
			return false;
	if (scorer->auth_line != NULL && !http_add_line(http, scorer->auth_line))
		return false;
	return http_add_default(http, "Accept", "application/json") &&
		http_add_default(http, "Content-Type",
			scorer->request == REQUEST_JSON ? "application/json" : "message/rfc822");
}

static int json_prepare(
	struct http_exchange *http, const struct scan_request *request, struct err *err)
{
	if (!add_headers(http) ||
		(http->scorer->envelope == ENVELOPE_HEADERS && !add_envelope(http, request)) ||
		(http->scorer->request == REQUEST_JSON && !make_object(http, request)))
		return err_set(err, "out of memory");
	return 0;
}

static const char *json_path(const struct scorer_setting *scorer, enum scan_purpose purpose)
{
	(void)purpose;
	return scorer->path;
}

static const char *json_health_path(const struct scorer_setting *scorer)
{
	return scorer->health_path;
}

static bool json_is_healthy(const char *bytes, size_t length)
{
	(void)bytes;
	(void)length;
	return true;
}

static int json_read(
	const struct http_exchange *http, const char *bytes, size_t length, struct verdict *ret)
{
	const struct scorer_setting *scorer = http->scorer;
	const struct json_rules rules = { .score = scorer->score,
		.required = scorer->required,
		.tests = scorer->tests,
		.tests_name = scorer->tests_name,
		.report = scorer->report,
		.ok = scorer->ok,
		.error = scorer->error };

	if (json_verdict_parse(bytes, length, &rules, ret) != 0)
		return -1;
	ret->version = http_engine(http, scorer->name);
	if (ret->version != NULL)
		return 0;
	ret->status = VERDICT_ERROR;
	return err_set(&ret->err, "out of memory");
}

static const struct http_service json_service = {
	.prepare = json_prepare,
	.path = json_path,
	.health_path = json_health_path,
	.read = json_read,
	.is_healthy = json_is_healthy,
};

static struct exchange *json_start(
	const struct exchange_target *target, struct scan_request *request, struct err *err)
{
	return http_exchange_start(&json_service, &json_exchange_ops, target, request, err);
}

const struct exchange_ops json_exchange_ops = {
	.start = json_start,
	.poll_set = http_exchange_poll_set,
	.step = http_exchange_step,
	.free = http_exchange_free,
};
