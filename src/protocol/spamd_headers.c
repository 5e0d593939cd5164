/* SPDX-License-Identifier: BSD-2-Clause */
/* The X-Spam-* fields of spamd's HEADERS reply. */
#include "protocol/spamd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/score.h"
#include "protocol/field.h"

/* Longest engine version and longest autolearn word kept, bytes. */
#define VERSION_MAX 200
#define WORD_MAX    32
#define FORCE       " autolearn_force="

struct field {
	struct cursor name;
	struct cursor value; /* from behind the colon to the last line end, folds included */
};

/*
 * Skip one continuation line. A report template may hold empty lines, which would end the header
 * block: an empty line with folded text behind it still belongs to the value.
 */
static bool skip_continuation(struct cursor *rest)
{
	struct cursor ahead = *rest, line;

	while (ahead.at < ahead.end && (*ahead.at == '\r' || *ahead.at == '\n'))
		ahead.at++;
	if (ahead.at == ahead.end || (*ahead.at != ' ' && *ahead.at != '\t') ||
		!cursor_line(&ahead, &line))
		return false;
	*rest = ahead;
	return true;
}

/* The next field; false at the end of the header block or at anything that is no field. */
static bool next_field(struct cursor *rest, struct field *ret_field)
{
	struct cursor line;

	if (!cursor_line(rest, &line) || !cursor_until(&line, ':', &ret_field->name) ||
		!cursor_byte(&line, ':') ||
		!field_name_is_valid(ret_field->name.at, cursor_left(&ret_field->name)))
		return false;
	ret_field->value.at = line.at;
	while (skip_continuation(rest))
		;
	ret_field->value.end = rest->at;
	return true;
}

static bool field_is(const struct field *field, const char *name)
{
	struct cursor rest = field->name;

	return cursor_literal_nocase(&rest, name) && cursor_at_end(&rest);
}

static bool field_begins(const struct field *field, const char *prefix)
{
	struct cursor rest = field->name;

	return cursor_literal_nocase(&rest, prefix);
}

/* Keep a copy of some text, printable ASCII only, unless there is one already. */
static bool take_text(char **text, struct cursor from, size_t max)
{
	size_t length = 0;

	if (*text)
		return true;
	*text = malloc(max + 1);
	if (!*text)
		return false;
	for (cursor_blanks(&from); from.at < from.end && length < max; from.at++)
		if (*from.at >= 0x20 && *from.at < 0x7f)
			(*text)[length++] = *from.at;
	(*text)[length] = 0;
	return true;
}

/* NAME, or NAME=1.5 where the administrator has _TESTSSCORES_ in the template. */
static bool take_test(struct cursor item, struct verdict *ret)
{
	struct cursor name;
	int32_t score = 0;
	bool scored;

	if (!cursor_until(&item, '=', &name))
		return true;
	scored = cursor_byte(&item, '=') && score_parse(item.at, cursor_left(&item), &score);
	return verdict_add_test(ret, name.at, cursor_left(&name), scored, score);
}

static bool take_tests(struct cursor list, struct verdict *ret)
{
	struct cursor item, none = list;

	if (cursor_literal(&none, "none") && cursor_at_end(&none))
		return true;
	while (!cursor_at_end(&list))
		if (!cursor_byte(&list, ',') &&
			!(cursor_until(&list, ',', &item) && take_test(item, ret)))
			return false;
	return true;
}

/* One word of the status: everything up to white space. False at the end. */
static bool next_word(struct cursor *rest, struct cursor *ret_word)
{
	while (rest->at < rest->end && strchr(" \t\r\n", *rest->at))
		rest->at++;
	ret_word->at = rest->at;
	while (rest->at < rest->end && !strchr(" \t\r\n", *rest->at))
		rest->at++;
	ret_word->end = rest->at;
	return ret_word->at < ret_word->end;
}

static bool take_version(struct cursor word, struct verdict *ret)
{
	static const char engine[] = "SpamAssassin ";
	size_t length = strlen(engine);

	if (ret->version)
		return true;
	if (!take_text(&ret->version, word, VERSION_MAX))
		return false;
	if (strlen(ret->version) + length > VERSION_MAX)
		return true;
	memmove(ret->version + length, ret->version, strlen(ret->version) + 1);
	memcpy(ret->version, engine, length);
	return true;
}

/*
 * SpamAssassin's own value for _AUTOLEARN_ is "no autolearn_force=no", or one word when it has not
 * come so far ("disabled"): the verdict keeps it in this form.
 */
static bool take_force(struct cursor word, struct verdict *ret)
{
	AUTO(string_free) char *force = NULL;
	size_t size = WORD_MAX * 2 + sizeof(FORCE);
	char *joined;

	if (ret->autolearn == NULL || strchr(ret->autolearn, ' ') != NULL)
		return true;
	if (!take_text(&force, word, WORD_MAX))
		return false;
	joined = malloc(size);
	if (joined == NULL)
		return false;
	snprintf(joined, size, "%s" FORCE "%s", ret->autolearn, force);
	free(ret->autolearn);
	ret->autolearn = joined;
	return true;
}

/*
 * "Yes, score=1001.3 required=5.0 tests=A,B" fold "autolearn=no autolearn_force=no version=4.0.1".
 * SpamAssassin folds after a comma of the tests too, so a list goes on while it ends in one.
 */
static bool take_status(const struct field *field, struct verdict *ret)
{
	struct cursor rest = field->value, word;
	bool in_tests = false, good = true;

	while (good && next_word(&rest, &word)) {
		if (in_tests || cursor_literal(&word, "tests=")) {
			in_tests = word.end > word.at && word.end[-1] == ',';
			good = take_tests(word, ret);
		} else if (cursor_literal(&word, "autolearn=")) {
			good = take_text(&ret->autolearn, word, WORD_MAX);
		} else if (cursor_literal(&word, &FORCE[1])) {
			good = take_force(word, ret);
		} else if (cursor_literal(&word, "version=")) {
			good = take_version(word, ret);
		}
	}
	return good;
}

static bool take_field(const struct field *field, struct verdict *ret)
{
	if (field_is(field, "X-Spam-Status"))
		return take_status(field, ret);
	if (field_is(field, "X-Spam-Checker-Version"))
		return take_text(&ret->version, field->value, VERSION_MAX);
	if (field_is(field, "X-Spam-Flag") || field_is(field, "X-Spam-Level") ||
		field_begins(field, "X-Spam-Prev-"))
		return true;
	return field_add(&ret->extra, field->name.at, cursor_left(&field->name), field->value.at,
		cursor_left(&field->value));
}

/*
 * With report_safe (SpamAssassin's default) the reply describes a new message: SpamAssassin's own
 * Received field, perhaps copies of the old ones, six fields of the original, and then the same
 * X-Spam-* block. The scanned message always begins with fields of ours, so that no message can
 * look like this unless SpamAssassin made it.
 */
static bool is_wrapper(struct cursor reply)
{
	struct field field;
	struct cursor value;

	if (!next_field(&reply, &field) || !field_is(&field, "Received"))
		return false;
	value = field.value;
	cursor_blanks(&value);
	if (!cursor_literal(&value, "from localhost by "))
		return false;
	while (value.at < value.end && !cursor_literal(&value, "with SpamAssassin (version "))
		value.at++;
	return value.at < value.end;
}

static bool is_wrapper_field(const struct field *field)
{
	static const char *const names[] = { "Received", "From", "To", "Cc", "Subject", "Date",
		"Message-Id" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (field_is(field, names[i]))
			return true;
	return false;
}

bool spamd_headers_take(const char *bytes, size_t length, struct verdict *ret)
{
	struct cursor rest = cursor_over(bytes, length);
	bool wrapped = is_wrapper(rest);
	struct field field;

	while (next_field(&rest, &field)) {
		if (field_begins(&field, "X-Spam-")) {
			wrapped = false;
			if (!take_field(&field, ret))
				return false;
		} else if (!wrapped || !is_wrapper_field(&field)) {
			break;
		}
	}
	return true;
}
