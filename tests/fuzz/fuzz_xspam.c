/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes our X-Spam fields, the subject's tag and the reply text: safe whatever the texts are. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "protocol/field.h"
#include "protocol/subject.h"
#include "protocol/template.h"
#include "protocol/xspam.h"
#include "target.h"

/* A test for each line or word before a comma, their scores half a point apart. */
static void add_tests(struct verdict *verdict, const char *text, size_t size)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n,");

		verdict_add_test(verdict, text, length, size & 8,
			(int32_t)size * 250 - (int32_t)verdict->test_count * 500);
		text += length + (text[length] != '\0');
	}
}

/* `size` chooses what is known; the score goes from -10 to 110 and is often just below. */
static void check_fields(const char *text, const char *half, size_t size)
{
	struct xspam_facts facts = { .spam = size & 1,
		.required_off = (size & 0x30) == 0x30,
		.host = text,
		.engine = text,
		.reason = size & 16 ? NULL : text,
		.scanned_bytes = size,
		.message_bytes = size & 1 };
	struct header_list list;
	struct verdict verdict;

	verdict_init(&verdict), headers_init(&list, XSPAM_LIST_SIZE);
	verdict.status = size & 2 ? VERDICT_SCORED : size & 64 ? VERDICT_NONE : VERDICT_TIMEOUT;
	verdict.version = size & 4 ? strdup(text) : NULL, verdict.autolearn = strdup(half);
	verdict.truncated = size & 32;
	verdict.score = (int32_t)(size * 977 % 120000) - 10000;
	facts.required = verdict.score + 40;
	add_tests(&verdict, text, size);
	assert(xspam_build(&list, &verdict, &facts) && xspam_add_original(&list, text));
	assert(xspam_check(&list, NULL) == 0);
	verdict_free(&verdict), headers_free(&list);
}

static void check_subject(const char *text, const char *half)
{
	struct buf out;

	buf_init(&out, 1024 * 1024);
	assert(subject_tag(&out, text, half) != SUBJECT_FAILED && !strchr(buf_text(&out), '\r'));
	buf_clear(&out);
	assert(subject_encode(&out, text, strlen(text)));
	assert(field_is_safe("Subject", buf_text(&out)));
	buf_free(&out);
}

/* What libmilter gets: a '%' never stands alone. */
static void check_for_milter(const char *text)
{
	struct buf out;

	buf_init(&out, 4 * LIMIT_REPLY_TEXT);
	assert(template_for_milter(&out, text) && out.length <= LIMIT_REPLY_TEXT);
	for (const char *at = buf_text(&out); (at = strchr(at, '%')) != NULL; at += 2)
		assert(at[1] == '%');
	buf_free(&out);
}

static void check_reply(const char *text, size_t size)
{
	struct template_facts facts = { .sender = size & 1 ? "" : text, .tests = text, .id = text };
	struct err err = ERR_INIT;
	struct buf out;

	buf_init(&out, 1024 * 1024);
	assert((template_check(text, &err) == 0) == (err.text[0] == '\0'));
	assert(template_expand(&out, text, &facts) && out.length <= LIMIT_REPLY_TEXT);
	check_reason(buf_text(&out));
	check_for_milter(buf_text(&out));
	check_for_milter(text);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup(size > 0 ? (const char *)data : "", size);
	const char *half = text + strlen(text) / 2;

	check_fields(text, half, size);
	check_subject(text, half);
	check_reply(text, size);
	free(text);
	return 0;
}
