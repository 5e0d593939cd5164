/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes rspamd's replies: what is taken must be safe to add. */
#include <assert.h>

#include "protocol/field.h"
#include "protocol/rspamd.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rspamd_answer answer;
	struct verdict verdict;
	int result;

	verdict_init(&verdict), rspamd_answer_init(&answer);
	result = rspamd_reply_parse((const char *)data, size, &verdict, &answer);
	assert(verdict.status == (result == 0 ? VERDICT_SCORED : VERDICT_MALFORMED));
	for (size_t i = 0; i < verdict.test_count; i++)
		assert(verdict.tests[i].options.count <= LIMIT_TEST_OPTIONS);
	check_reason(verdict.err.text);
	for (size_t i = 0; i < answer.edits.addition_count; i++)
		assert(field_is_safe(
			answer.edits.additions[i].name, answer.edits.additions[i].value));
	assert(!answer.edits.subject || field_is_safe("Subject", answer.edits.subject));
	verdict_free(&verdict), rspamd_answer_free(&answer);
	return 0;
}
