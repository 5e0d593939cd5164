/* SPDX-License-Identifier: BSD-2-Clause */
/* What rspamd's controller says of a message that it was to learn. */
#include "base/cleanup.h"
#include "protocol/json_reply.h"
#include "protocol/rspamd.h"

/* Longest words of rspamd that are told, bytes. */
#define WORDS_MAX 160

/* The statuses that say yes: learnt, and learnt before (RFC 5842: 208 Already Reported). */
#define STATUS_LEARNT 200
#define STATUS_BEFORE 208

/* {"error": "..."} */
static int not_learnt(long http_status, const json_t *root, struct verdict *ret)
{
	const json_t *error = json_object_get(root, "error");
	AUTO(string_free) char *words = NULL;

	if (json_is_string(error))
		words = json_plain_text(error, WORDS_MAX);
	ret->status = VERDICT_MALFORMED;
	return err_set(&ret->err, "rspamd has not learnt it: HTTP status %ld%s%s", http_status,
		words == NULL ? "" : ": ", words == NULL ? "" : words);
}

int rspamd_learnt_parse(long http_status, const char *bytes, size_t length, struct verdict *ret)
{
	AUTO(json_release) json_t *root = NULL;
	struct verdict reading;
	bool learnt;

	/* A refusal need not be JSON, so why it is none is of no interest. */
	verdict_init(&reading);
	root = json_reply_load(bytes, length, true, &reading);
	verdict_free(&reading);
	learnt = http_status == STATUS_LEARNT && json_is_true(json_object_get(root, "success"));
	if (!learnt && http_status != STATUS_BEFORE)
		return not_learnt(http_status, root, ret);
	ret->status = VERDICT_SCORED;
	return 0;
}
