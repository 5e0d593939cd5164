/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes JSON replies, with memory and without: first line the pointer to the score, second to the
 * tests, then the reply.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json_verdict.h"
#include "protocol/xspam.h"
#include "starve.h"
#include "target.h"

/* A failure always has its reason; what is read of a reply that is cut off by one is safe. */
static enum verdict_status parse(const char *reply, size_t length, const struct json_rules *rules)
{
	enum verdict_status status;
	struct verdict verdict;

	verdict_init(&verdict);
	assert((json_verdict_parse(reply, length, rules, &verdict) == 0) ==
		(verdict.status == VERDICT_SCORED));
	status = verdict.status;
	assert(status == VERDICT_SCORED || verdict.err.text[0] != '\0');
	assert(xspam_check(&verdict.extra, NULL) == 0);
	check_reason(verdict.err.text);
	verdict_free(&verdict);
	return status;
}

/* Without memory it is the same verdict, or none for that reason. */
static void check_reply(const uint8_t *data, size_t size, const char *reply, size_t length,
	const struct json_rules *rules)
{
	enum verdict_status fed, starved;

	starve_count();
	fed = parse(reply, length, rules);
	assert(fed == VERDICT_SCORED || fed == VERDICT_MALFORMED);
	starve_begin(data, size);
	starved = parse(reply, length, rules);
	if (!starve_end() || starved != VERDICT_ERROR)
		assert(starved == fed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct json_rules rules = { .score = text,
		.required = "/required",
		.report = "/report",
		.tests_name = "name",
		.ok = "/ok",
		.error = "/error" };
	size_t at;

	memcpy(text, size > 0 ? (const char *)data : "", size);
	at = strcspn(text, "\n");
	rules.tests = text + at + (text[at] == '\n');
	text[at] = '\0';
	(void)json_pointer_check(text, NULL);
	at = (size_t)(rules.tests - text) + strcspn(rules.tests, "\n");
	if (at < size) {
		text[at++] = '\0';
		check_reply(data, size, text + at, size - at, &rules);
	}
	free(text);
	return 0;
}
