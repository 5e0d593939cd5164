/* SPDX-License-Identifier: BSD-2-Clause */
/* What a scorer said of one message, or why it said nothing. */
#include "mail/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"

static const char *const status_names[] = {
	[VERDICT_NONE] = "none",
	[VERDICT_SCORED] = "scored",
	[VERDICT_REFUSED] = "refused",
	[VERDICT_TIMEOUT] = "timeout",
	[VERDICT_MALFORMED] = "malformed",
	[VERDICT_OVERLOADED] = "overloaded",
	[VERDICT_OVERSIZE] = "oversize",
	[VERDICT_ERROR] = "error",
};

const char *verdict_status_name(enum verdict_status status)
{
	return status_names[status];
}

void verdict_init(struct verdict *verdict)
{
	*verdict = (struct verdict){ .status = VERDICT_NONE };
	headers_init(&verdict->extra, LIMIT_SPAMD_REPLY);
}

void verdict_free(struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->test_count; i++) {
		free(verdict->tests[i].name);
		strlist_free(&verdict->tests[i].options);
	}
	free(verdict->tests);
	free(verdict->autolearn);
	free(verdict->version);
	free(verdict->reply);
	edits_free(&verdict->edits);
	free(verdict->scorer);
	free(verdict->server);
	headers_free(&verdict->extra);
	verdict_init(verdict);
}

void verdict_move(struct verdict *ret, struct verdict *verdict)
{
	*ret = *verdict;
	verdict_init(verdict);
}

static bool copy_text(char **ret, const char *text)
{
	*ret = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret != NULL;
}

static bool copy_edits(struct message_edits **ret, const struct message_edits *edits)
{
	*ret = edits == NULL ? NULL : edits_copy(edits);
	return edits == NULL || *ret != NULL;
}

static bool copy_lists(struct verdict *ret, const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->test_count; i++) {
		const struct verdict_test *test = &verdict->tests[i];

		if (!verdict_add_test(
			    ret, test->name, strlen(test->name), test->has_score, test->score) ||
			!strlist_add_all(&ret->tests[i].options, &test->options))
			return false;
	}
	for (size_t i = 0; i < verdict->extra.count; i++)
		if (!headers_add(&ret->extra, headers_name(&verdict->extra, i),
			    headers_value(&verdict->extra, i)))
			return false;
	return true;
}

bool verdict_copy(struct verdict *ret, const struct verdict *verdict)
{
	*ret = *verdict;
	ret->tests = NULL;
	ret->test_count = ret->test_capacity = 0;
	ret->autolearn = ret->version = ret->reply = ret->scorer = ret->server = NULL;
	ret->edits = NULL;
	headers_init(&ret->extra, LIMIT_SPAMD_REPLY);
	if (copy_text(&ret->autolearn, verdict->autolearn) &&
		copy_text(&ret->version, verdict->version) &&
		copy_text(&ret->reply, verdict->reply) && copy_edits(&ret->edits, verdict->edits) &&
		copy_text(&ret->scorer, verdict->scorer) &&
		copy_text(&ret->server, verdict->server) && copy_lists(ret, verdict))
		return true;
	verdict_free(ret);
	return false;
}

static bool is_name_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		(c != '\0' && strchr("_.:-", c) != NULL);
}

/* A copy with only name bytes, cut at LIMIT_TEST_NAME. */
static char *clean_name(const char *name, size_t length)
{
	char *copy;

	if (length > LIMIT_TEST_NAME)
		length = LIMIT_TEST_NAME;
	copy = malloc(length + 1);
	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++)
		copy[i] = is_name_byte(name[i]) ? name[i] : '_';
	copy[length] = '\0';
	return copy;
}

bool verdict_add_test(
	struct verdict *verdict, const char *name, size_t length, bool has_score, int32_t score)
{
	size_t capacity = verdict->test_capacity == 0 ? 16 : verdict->test_capacity * 2;
	struct verdict_test *tests = verdict->tests;
	char *copy;

	if (length == 0 || verdict->test_count >= LIMIT_TESTS)
		return true;
	if (verdict->test_count == verdict->test_capacity) {
		tests = realloc(tests, capacity * sizeof(*tests));
		if (tests == NULL)
			return false;
		verdict->tests = tests;
		verdict->test_capacity = capacity;
	}
	copy = clean_name(name, length);
	if (copy == NULL)
		return false;
	tests[verdict->test_count++] =
		(struct verdict_test){ .name = copy, .score = score, .has_score = has_score };
	return true;
}

bool verdict_test_add_option(struct verdict_test *test, const char *text, size_t length)
{
	AUTO(buf_free) struct buf plain = { 0 };

	if (test->options.count >= LIMIT_TEST_OPTIONS)
		return true;
	/* Never longer than what it is made from. */
	buf_init(&plain, LIMIT_TEST_OPTION);
	if (!encode_header(&plain, text, length < LIMIT_TEST_OPTION ? length : LIMIT_TEST_OPTION))
		return false;
	return plain.length == 0 || strlist_add(&test->options, buf_text(&plain));
}
