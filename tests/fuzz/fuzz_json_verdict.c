/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes JSON replies: first line the pointer to the score, second to the tests, then the reply. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json_verdict.h"
#include "protocol/xspam.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct json_rules rules = { .score = text,
		.report = "/report",
		.tests_name = "name",
		.ok = "/ok",
		.error = "/error" };
	struct verdict verdict;
	size_t at;

	memcpy(text, size > 0 ? (const char *)data : "", size);
	at = strcspn(text, "\n");
	rules.tests = text + at + (text[at] == '\n');
	text[at] = '\0';
	(void)json_pointer_check(text, NULL);
	at = (size_t)(rules.tests - text) + strcspn(rules.tests, "\n");
	verdict_init(&verdict);
	if (at < size) {
		text[at++] = '\0';
		int result = json_verdict_parse(text + at, size - at, &rules, &verdict);
		assert(verdict.status == (result == 0 ? VERDICT_SCORED : VERDICT_MALFORMED));
	}
	assert(xspam_check(&verdict.extra, NULL) == 0);
	check_reason(verdict.err.text);
	verdict_free(&verdict), free(text);
	return 0;
}
