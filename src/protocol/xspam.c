/* SPDX-License-Identifier: BSD-2-Clause */
/* The X-Spam-* fields that we add to a message. */
#include "protocol/xspam.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/score.h"
#include "protocol/field.h"

/* SpamAssassin folds at 79 columns, a tab counting eight (Util.pm, wrap). */
#define FOLD_COLUMN 79
#define TAB_COLUMNS 8
/* The most stars of X-Spam-Level: GTUBE's thousand would flood. */
#define LEVEL_MAX 50
/* Longest engine version shown, bytes. */
#define VERSION_MAX 200
/* Longest word of autolearn= and of an engine's name, bytes. */
#define AUTOLEARN_MAX 32
#define ENGINE_MAX    64
/* Status text behind which no further test is written, bytes: the rest and the folds need room. */
#define TESTS_MAX (LIMIT_ADDED_HEADER - 1024)

/*
 * Append `text` folded the way SpamAssassin does it: pieces end behind each blank or comma; a piece
 * goes to a new line when the line with it (its own trailing blank included) would be longer than
 * 79 columns; white space at a line's end is removed there. `column` is where the text begins.
 */
static bool put_folded(struct buf *out, const char *text, size_t column)
{
	size_t begin = out->length;
	bool first = true;

	while (*text != '\0') {
		size_t piece = strcspn(text, " \t,");

		if (text[piece] != '\0')
			piece++;
		if (!first && column + piece > FOLD_COLUMN) {
			while (out->length > begin && out->data[out->length - 1] == ' ')
				out->length--;
			/* A line that held nothing but a blank is used again: none may be empty. */
			if (out->length > begin)
				buf_puts(out, "\n\t");
			begin = out->length;
			column = TAB_COLUMNS;
		}
		if (!buf_append(out, text, piece))
			return false;
		first = false;
		column += piece;
		text += piece;
	}
	return true;
}

/* Sort the heaviest first, to choose which are shown. */
static int by_weight(const void *a, const void *b)
{
	const struct verdict_test *const *x = a, *const *y = b;
	int32_t wx = abs((*x)->score), wy = abs((*y)->score);

	return wx == wy ? strcmp((*x)->name, (*y)->name) : (wx < wy) - (wx > wy);
}

static int by_name(const void *a, const void *b)
{
	const struct verdict_test *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void put_test(struct buf *out, const struct verdict_test *test)
{
	char score[SCORE_TEXT_SIZE];

	buf_puts(out, test->name);
	if (!test->has_score)
		return;
	/* SpamAssassin prints the configured number: no decimals for a whole one. */
	if (test->score % 1000 == 0)
		buf_printf(out, "=%d", test->score / 1000);
	else
		buf_printf(out, "=%s", score_format(test->score, 0, score));
}

/* Names of the greatest length would make the field too long: then fewer are shown. */
static bool put_tests(struct buf *out, const struct verdict *verdict)
{
	const struct verdict_test *shown[LIMIT_TESTS];
	size_t count = verdict->test_count < LIMIT_TESTS ? verdict->test_count : LIMIT_TESTS;

	if (count == 0)
		return buf_puts(out, "none");
	for (size_t i = 0; i < count; i++)
		shown[i] = &verdict->tests[i];
	if (count > LIMIT_TESTS_SHOWN) {
		qsort(shown, count, sizeof(shown[0]), by_weight);
		count = LIMIT_TESTS_SHOWN;
	}
	qsort(shown, count, sizeof(shown[0]), by_name);
	for (size_t i = 0; i < count && out->length < TESTS_MAX; i++) {
		if (i > 0)
			buf_putc(out, ',');
		put_test(out, shown[i]);
	}
	return !out->failed;
}

/* One word of text from outside: what is before white space or a comma, cut at `max` bytes. */
static bool put_word(struct buf *out, const char *text, size_t max)
{
	size_t length = strcspn(text, " \t\r\n,");

	return encode_header(out, text, length < max ? length : max);
}

/* "no autolearn_force=no", as SpamAssassin itself fills in _AUTOLEARN_, or one word. */
static void put_autolearn(struct buf *out, const char *autolearn)
{
	static const char force[] = "autolearn_force=";
	const char *second;

	if (autolearn == NULL || autolearn[0] == '\0')
		autolearn = "unavailable";
	second = strstr(autolearn, force);
	put_word(out, autolearn, AUTOLEARN_MAX);
	if (second != NULL && second > autolearn && second[-1] == ' ') {
		buf_printf(out, " %s", force);
		put_word(out, second + strlen(force), AUTOLEARN_MAX);
	}
}

/* The second word of "SpamAssassin 4.0.1 (2024-03-25) on host". */
static bool put_version_number(struct buf *out, const char *version)
{
	const char *word = version == NULL ? NULL : strchr(version, ' ');
	size_t length;

	if (word == NULL)
		return buf_puts(out, "unknown");
	word++;
	length = strcspn(word, " \t,;()");
	if (length == 0 || length > VERSION_MAX)
		return buf_puts(out, "unknown");
	return encode_header(out, word, length);
}

/* Rounded to one decimal, but not up to a threshold that the score did not reach. */
static const char *score_text(int32_t score, int32_t required, char *text)
{
	char threshold[SCORE_TEXT_SIZE];
	int32_t tenth = 100;

	score_format(score, 1, text);
	score_format(required, 1, threshold);
	if (score < required && strcmp(text, threshold) == 0)
		score_format(score - tenth, 1, text);
	return text;
}

static bool put_status(
	struct buf *out, const struct verdict *verdict, const struct xspam_facts *facts)
{
	char score[SCORE_TEXT_SIZE], threshold[SCORE_TEXT_SIZE];
	int32_t required = facts->required_off ? verdict->required : facts->required;

	buf_printf(out, "%s, score=%s required=%s tests=",
		facts->spam && !facts->required_off ? "Yes" : "No",
		score_text(verdict->score, required, score), score_format(required, 1, threshold));
	put_tests(out, verdict);
	buf_puts(out, " autolearn=");
	put_autolearn(out, verdict->autolearn);
	buf_puts(out, " version=");
	return put_version_number(out, verdict->version);
}

/* Add one field with folding; `text` is plain. */
static bool add_folded(struct header_list *list, const char *name, const char *text)
{
	AUTO(buf_free) struct buf value = { 0 };

	buf_init(&value, LIMIT_ADDED_HEADER * 2);
	buf_putc(&value, ' ');
	put_folded(&value, text, strlen(name) + 2);
	return !value.failed && headers_add(list, name, buf_text(&value));
}

static bool add_status(
	struct header_list *list, const struct verdict *verdict, const struct xspam_facts *facts)
{
	AUTO(buf_free) struct buf text = { 0 };

	buf_init(&text, LIMIT_ADDED_HEADER);
	return put_status(&text, verdict, facts) &&
		add_folded(list, "X-Spam-Status", buf_text(&text));
}

/* SpamAssassin says on which host it runs; for others it is the mail server that had it scored. */
static bool add_version(
	struct header_list *list, const struct verdict *verdict, const struct xspam_facts *facts)
{
	AUTO(buf_free) struct buf text = { 0 };
	size_t length = verdict->version == NULL ? 0 : strlen(verdict->version);

	buf_init(&text, LIMIT_ADDED_HEADER);
	if (length > 0)
		encode_header(&text, verdict->version, length < VERSION_MAX ? length : VERSION_MAX);
	else
		put_word(&text, facts->engine == NULL ? "unknown" : facts->engine, ENGINE_MAX);
	if (facts->host != NULL && strstr(buf_text(&text), " on ") == NULL) {
		buf_puts(&text, " on ");
		encode_header(&text, facts->host, strnlen(facts->host, VERSION_MAX));
	}
	return !text.failed && add_folded(list, "X-Spam-Checker-Version", buf_text(&text));
}

static bool add_level(struct header_list *list, int32_t score)
{
	char value[LEVEL_MAX + 2] = " ";
	int32_t stars = score / 1000;

	if (stars > LEVEL_MAX)
		stars = LEVEL_MAX;
	for (int32_t i = 0; i < stars; i++)
		value[i + 1] = '*';
	return headers_add(list, "X-Spam-Level", value);
}

static bool add_partial(struct header_list *list, const struct xspam_facts *facts)
{
	AUTO(buf_free) struct buf text = { 0 };

	buf_init(&text, LIMIT_ADDED_LINE);
	buf_puts(&text, "yes");
	if (facts->scanned_bytes > 0)
		buf_printf(&text, ", scanned=%llu", (unsigned long long)facts->scanned_bytes);
	if (facts->message_bytes > 0)
		buf_printf(&text, " size=%llu", (unsigned long long)facts->message_bytes);
	return !text.failed && add_folded(list, "X-Spam-Partial", buf_text(&text));
}

static bool add_unscanned(
	struct header_list *list, const struct verdict *verdict, const struct xspam_facts *facts)
{
	AUTO(buf_free) struct buf text = { 0 };
	const char *reason = facts->reason;

	if (reason == NULL)
		reason = verdict_status_name(verdict->status);
	buf_init(&text, LIMIT_ADDED_LINE);
	buf_puts(&text, "Unscanned, reason=");
	encode_header(&text, reason, strnlen(reason, VERSION_MAX));
	return !text.failed && add_folded(list, "X-Spam-Status", buf_text(&text));
}

static bool add_extra(struct header_list *list, const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->extra.count; i++)
		if (!headers_add(list, headers_name(&verdict->extra, i),
			    headers_value(&verdict->extra, i)))
			return false;
	return true;
}

bool xspam_add_original(struct header_list *list, const char *recipient)
{
	struct buf value;
	bool good;

	buf_init(&value, LIMIT_ADDED_LINE);
	buf_putc(&value, ' ');
	good = encode_header(&value, recipient, strnlen(recipient, LIMIT_ORIGINAL_RECIPIENT)) &&
		headers_add(list, "X-Spam-Orig-To", buf_text(&value));
	buf_free(&value);
	return good;
}

bool xspam_build(
	struct header_list *list, const struct verdict *verdict, const struct xspam_facts *facts)
{
	if (verdict->status == VERDICT_NONE && facts->reason == NULL)
		return true;
	if (verdict->status != VERDICT_SCORED)
		return add_unscanned(list, verdict, facts);
	if (!add_version(list, verdict, facts))
		return false;
	if (facts->spam && !facts->required_off && !headers_add(list, "X-Spam-Flag", " YES"))
		return false;
	if (!add_level(list, verdict->score) || !add_status(list, verdict, facts))
		return false;
	if (verdict->truncated && !add_partial(list, facts))
		return false;
	return add_extra(list, verdict);
}

int xspam_check(const struct header_list *list, struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (!field_is_safe(headers_name(list, i), headers_value(list, i)))
			return err_set(err, "field %s is not safe", headers_name(list, i));
	return 0;
}
