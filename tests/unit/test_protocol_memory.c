/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of the protocol room fails once, and from then on: each parser and builder must
 * say so, leave no half verdict that counts as a score, and lose no memory (fault F17). Linked with
 * --wrap for malloc, realloc, strdup and strndup; jansson's memory is counted too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/json_verdict.h"
#include "protocol/rspamd.h"
#include "protocol/spamd.h"
#include "protocol/subject.h"
#include "protocol/xspam.h"

static long countdown; /* allocations that still succeed; -1: all */
static bool once;      /* only one allocation fails, not all from then on */
static bool failed;

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static bool refuse(void)
{
	if (countdown < 0)
		return false;
	if (countdown > 0) {
		countdown--;
		return false;
	}
	failed = true;
	countdown = once ? -1 : 0;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refuse() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return refuse() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return refuse() ? NULL : __real_strndup(text, size);
}

#define FIELDS                                                                          \
	"X-Spam-Checker-Version: SpamAssassin 4.0.1\r\nX-Spam-Status: Yes, tests=A,B,C" \
	" autolearn=no autolearn_force=no version=4.0.1\r\nX-Spam-Report: a\r\n\tb\r\n\r\n"

static bool spamd(void)
{
	char reply[1024];
	struct spamd_reply parser;
	struct verdict verdict;
	bool good;

	snprintf(reply, sizeof(reply),
		"SPAMD/1.1 0 EX_OK\r\nContent-length: %zu\r\nSpam: True ; 6.0 / 5.0\r\n\r\n%s",
		strlen(FIELDS), FIELDS);
	verdict_init(&verdict);
	spamd_reply_init(&parser, SPAMD_HEADERS);
	good = spamd_reply_parse(&parser, reply, strlen(reply), true, &verdict) ==
		SPAMD_REPLY_COMPLETE;
	assert_int_equal(verdict.status, good ? VERDICT_SCORED : VERDICT_ERROR);
	verdict_free(&verdict);
	return good;
}

static bool rspamd(void)
{
	static const char reply[] =
		"{\"score\":1.5,\"action\":\"reject\",\"symbols\":"
		"{\"A\":{\"score\":1,\"options\":[\"x\",\"y\"]},\"B\":{}},"
		"\"subject\":\"x\",\"messages\":{\"smtp_message\":\"y\"},\"dkim-signature\":\"z\","
		"\"milter\":{\"add_headers\":{\"X-A\":\"1\"},\"remove_headers\":{\"X-B\":0},"
		"\"change_from\":\"a@b\",\"add_rcpt\":[\"c@d\"],\"del_rcpt\":[\"e@f\"]}}";
	struct rspamd_answer answer;
	struct verdict verdict;
	bool good;

	verdict_init(&verdict);
	rspamd_answer_init(&answer);
	good = rspamd_reply_parse(reply, strlen(reply), &verdict, &answer) == 0;
	assert_int_equal(verdict.status, good ? VERDICT_SCORED : VERDICT_ERROR);
	verdict_free(&verdict);
	rspamd_answer_free(&answer);
	return good;
}

static bool json(void)
{
	static const char reply[] = "{\"s\":1,\"t\":[\"A\",\"B\"],\"r\":\"report\"}";
	const struct json_rules rules = { .score = "/s", .tests = "/t", .report = "/r" };
	struct verdict verdict;
	bool good;

	verdict_init(&verdict);
	good = json_verdict_parse(reply, strlen(reply), &rules, &verdict) == 0;
	assert_int_equal(verdict.status, good ? VERDICT_SCORED : VERDICT_ERROR);
	verdict_free(&verdict);
	return good;
}

static bool fields(void)
{
	struct verdict_test tests[] = { { .name = (char[]){ "A" } }, { .name = (char[]){ "B" } } };
	struct verdict verdict = {
		.status = VERDICT_SCORED, .tests = tests, .test_count = 2, .truncated = true
	};
	struct xspam_facts facts = { .spam = true, .host = "mx" };
	struct header_list list;
	bool good;

	headers_init(&list, XSPAM_LIST_SIZE);
	good = xspam_build(&list, &verdict, &facts);
	headers_free(&list);
	return good;
}

static bool unscanned(void)
{
	const struct verdict verdict = { .status = VERDICT_TIMEOUT };
	const struct xspam_facts facts = { .host = "mx" };
	struct header_list list;
	bool good;

	headers_init(&list, XSPAM_LIST_SIZE);
	good = xspam_build(&list, &verdict, &facts) && xspam_add_original(&list, "a@example.com");
	headers_free(&list);
	return good;
}

static bool subject(void)
{
	struct buf out;
	bool good;

	buf_init(&out, 4096);
	good = subject_tag(&out, " =?UTF-8?Q?x?= y", "[\xc3\xa9]") == SUBJECT_TAGGED;
	buf_free(&out);
	return good;
}

static bool requests(void)
{
	struct client client = { .helo = (char[]){ "h" }, .address = (char[]){ "::1" } };
	struct envelope envelope = { .sender = (char[]){ "a@b" }, .has_sender = true };
	const struct json_request request = {
		.message_member = "m", .client = &client, .envelope = &envelope
	};
	struct header_list list;
	struct buf out;
	bool good;

	headers_init(&list, 4096);
	buf_init(&out, 4096);
	good = rspamd_request_headers(&list, &client, &envelope) &&
		json_request_build(&out, &request, "message", 7);
	headers_free(&list);
	buf_free(&out);
	return good;
}

static void each_allocation_fails(void **state)
{
	static bool (*const steps[])(
		void) = { spamd, rspamd, json, fields, unscanned, subject, requests };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(steps) / sizeof(steps[0]); i++) {
		bool good = false;

		once = i % 2 == 1;
		for (long n = 0; !good; n++) {
			failed = false;
			countdown = n;
			good = steps[i / 2]();
			countdown = -1;
			assert_true(n < 1000);
			/* A result that is good although memory failed would be a half one. */
			assert_true(good != failed);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_allocation_fails) };

	countdown = -1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
