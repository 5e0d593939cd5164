/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies of scoring services that speak JSON. */
#include "protocol/json_verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "base/score.h"
#include "protocol/field.h"
#include "protocol/json_reply.h"

/* Longest key in a pointer and longest error text of a service, bytes. */
#define KEY_MAX   256
#define ERROR_MAX 200

int json_pointer_check(const char *pointer, struct err *err)
{
	size_t key = 0;

	if (pointer[0] != '\0' && pointer[0] != '/')
		return err_set(err, "a JSON pointer begins with \"/\" (as in \"/result/score\")");
	for (const char *c = pointer; *c != '\0'; c++) {
		if (*c == '~' && c[1] != '0' && c[1] != '1')
			return err_set(
				err, "in a JSON pointer \"~\" is written \"~0\", \"/\" \"~1\"");
		key = *c == '/' ? 0 : key + 1;
		if (key >= KEY_MAX)
			return err_set(err, "a name in the JSON pointer is too long");
	}
	return 0;
}

/* One reference token, its ~1 and ~0 undone (RFC 6901 section 4). */
static bool unescape(struct cursor token, char ret_key[KEY_MAX])
{
	size_t length = 0;

	while (token.at < token.end && length < KEY_MAX - 1) {
		char c = *token.at++;

		if (c == '~' && token.at < token.end)
			c = *token.at++ == '1' ? '/' : '~';
		ret_key[length++] = c;
	}
	ret_key[length] = '\0';
	return token.at == token.end;
}

/* An array index: digits without a leading zero (RFC 6901 section 4). */
static json_t *element(json_t *array, const char *key)
{
	struct cursor cursor = cursor_over(key, strlen(key));
	uint64_t index;

	if ((key[0] == '0' && key[1] != '\0') || !cursor_number(&cursor, SIZE_MAX / 2, &index) ||
		!cursor_at_end(&cursor))
		return NULL;
	return json_array_get(array, (size_t)index);
}

/* The value that a pointer leads to (borrowed), or NULL; "" as a pointer means that none is set. */
static json_t *resolve(json_t *root, const char *pointer)
{
	struct cursor rest = cursor_over(pointer ? pointer : "", pointer ? strlen(pointer) : 0);
	json_t *value = cursor_at_end(&rest) ? NULL : root;
	char key[KEY_MAX];

	while (value != NULL && cursor_byte(&rest, '/')) {
		struct cursor token = cursor_over(rest.at, 0);

		(void)cursor_until(&rest, '/', &token);
		if (!unescape(token, key))
			return NULL;
		value = json_is_array(value) ? element(value, key) : json_object_get(value, key);
	}
	return value;
}

static bool is_set(const char *pointer)
{
	return pointer != NULL && pointer[0] != '\0';
}

/* Whatever there is to say about a failure: the service's own words, if it has any. */
static int service_failed(json_t *root, const struct json_rules *rules, struct verdict *ret)
{
	AUTO(string_free) char *text = NULL;
	const json_t *words = resolve(root, rules->error);

	if (json_is_string(words))
		text = json_plain_text(words, ERROR_MAX);
	ret->status = VERDICT_MALFORMED;
	return err_set(&ret->err, "the service reports a failure%s%s", text == NULL ? "" : ": ",
		text == NULL ? "" : text);
}

static bool add_test(struct verdict *ret, const char *name, size_t length, const json_t *score)
{
	int32_t milli = 0;
	bool scored = json_reply_score(score, true, &milli);

	return verdict_add_test(ret, name, length, scored, milli);
}

/* "A, B,C" */
static bool add_list(struct verdict *ret, const char *text)
{
	struct cursor rest = cursor_over(text, strlen(text)), name;

	while (cursor_blanks(&rest) && !cursor_at_end(&rest)) {
		if (cursor_byte(&rest, ','))
			continue;
		cursor_until(&rest, ',', &name);
		while (name.end > name.at && name.end[-1] == ' ')
			name.end--;
		if (!verdict_add_test(ret, name.at, cursor_left(&name), false, 0))
			return false;
	}
	return true;
}

/* One element of an array: its name and, in an object, its score. False when it has no name. */
static bool add_element(
	struct verdict *ret, const json_t *item, const char *name_key, bool *ret_memory)
{
	const json_t *name = json_is_object(item) ? json_object_get(item, name_key) : item;

	if (!json_is_string(name))
		return false;
	*ret_memory = add_test(ret, json_string_value(name), json_string_length(name),
		json_object_get(item, "score"));
	return *ret_memory;
}

static bool add_array(
	struct verdict *ret, const json_t *array, const char *name_key, bool *ret_memory)
{
	json_t *item;
	size_t i;

	json_array_foreach(
		array, i, item) if (!add_element(ret, item, name_key, ret_memory)) return false;
	return true;
}

static bool add_members(struct verdict *ret, json_t *object, bool *ret_memory)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		const json_t *score =
			json_is_object(value) ? json_object_get(value, "score") : value;

		*ret_memory = add_test(ret, name, strlen(name), score);
		if (!*ret_memory)
			return false;
	}
	return true;
}

static int take_tests(json_t *root, const struct json_rules *rules, struct verdict *ret)
{
	json_t *tests = resolve(root, rules->tests);
	const char *name_key = is_set(rules->tests_name) ? rules->tests_name : "name";
	bool memory = true, good = true;

	if (tests == NULL || json_is_null(tests))
		return 0;
	if (json_is_array(tests))
		good = add_array(ret, tests, name_key, &memory);
	else if (json_is_object(tests))
		good = add_members(ret, tests, &memory);
	else if (json_is_string(tests))
		memory = add_list(ret, json_string_value(tests));
	else
		good = false;
	if (memory && good)
		return 0;
	ret->status = memory ? VERDICT_MALFORMED : VERDICT_ERROR;
	return err_set(&ret->err, memory ? "tests of an unknown form" : "out of memory");
}

static int take_report(json_t *root, const struct json_rules *rules, struct verdict *ret)
{
	const json_t *report = resolve(root, rules->report);
	static const char name[] = "X-Spam-Report";

	if (!json_is_string(report) ||
		field_add(&ret->extra, name, strlen(name), json_string_value(report),
			json_string_length(report)))
		return 0;
	ret->status = VERDICT_ERROR;
	return err_set(&ret->err, "out of memory");
}

static int take_scores(json_t *root, const struct json_rules *rules, struct verdict *ret)
{
	const json_t *required = resolve(root, rules->required);

	if (!json_reply_score(resolve(root, rules->score), true, &ret->score))
		return json_reply_bad(ret, "the reply holds no number as score");
	ret->has_required = required != NULL && !json_is_null(required);
	if (ret->has_required && !json_reply_score(required, true, &ret->required))
		return json_reply_bad(ret, "the reply holds no number as required score");
	ret->spam = ret->has_required && ret->score >= ret->required;
	return 0;
}

int json_verdict_parse(
	const char *bytes, size_t length, const struct json_rules *rules, struct verdict *ret)
{
	AUTO(json_release) json_t *root = NULL;

	root = json_reply_load(bytes, length, false, ret);
	if (root == NULL)
		return -1;
	if (is_set(rules->ok) && !json_is_true(resolve(root, rules->ok)))
		return service_failed(root, rules, ret);
	if (take_scores(root, rules, ret) != 0 || take_tests(root, rules, ret) != 0 ||
		take_report(root, rules, ret) != 0)
		return -1;
	ret->status = VERDICT_SCORED;
	return 0;
}
