/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine show: what is known of an item, safe for a terminal; or its bytes to a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/io.h"
#include "base/score.h"
#include "ctl/quarantine.h"

/* Of the message that are read for the summary, bytes. */
#define HEAD_SIZE (256 * 1024)
/* One line of the message that is shown, bytes; the rest of it is not. */
#define LINE_SHOWN    500
#define DEFAULT_LINES 20
/* One row of the summary, bytes. */
#define ROW_MAX 65536

struct show_options {
	const char *directory, *output, *lines;
	bool raw;
	uint64_t line_count;
};

static void show_verdict(const struct item *item)
{
	const struct verdict *verdict = &item->verdict;
	char score[SCORE_TEXT_SIZE], required[SCORE_TEXT_SIZE], text[160];
	struct buf row;

	buf_init(&row, ROW_MAX);
	if (verdict->status == VERDICT_SCORED) {
		snprintf(text, sizeof(text), "%s%s%s", score_format(verdict->score, 0, score),
			verdict->has_required ? " of " : "",
			verdict->has_required ? score_format(verdict->required, 0, required) : "");
		say_row("Score", text);
	} else {
		say_row("Not scored", verdict_status_name(verdict->status));
		say_row("because", verdict->err.text);
	}
	say_row("Scorer", verdict->scorer);
	say_row("Server", verdict->server);
	for (size_t i = 0; i < verdict->test_count; i++) {
		const struct verdict_test *test = &verdict->tests[i];

		buf_clear(&row);
		buf_printf(&row, "%7s %s",
			test->has_score ? score_format(test->score, 3, score) : "", test->name);
		put_aside(&row, &test->options);
		say_row(i == 0 ? "Tests" : "", buf_text(&row));
	}
	buf_free(&row);
}

static void show_recipients(const struct item *item, const struct review *review)
{
	for (size_t i = 0; i < item->envelope.recipients.count; i++) {
		const struct review_line *line = review == NULL ? NULL : &review->lines[i];
		char when[DAY_TIME_SIZE];
		struct buf text;

		buf_init(&text, ROW_MAX);
		buf_puts(&text, item->envelope.recipients.items[i]);
		buf_printf(&text, "  [%s]", line == NULL ? "?" : recipient_state_name(line->state));
		if (line != NULL && line->by != NULL && line->by[0] != '\0')
			buf_printf(&text, " %s by %s: %s", day_time(line->time_s, when), line->by,
				line->note);
		say_row(i == 0 ? "Recipients" : "", buf_text(&text));
		buf_free(&text);
	}
}

static void show_facts(const struct stored *stored, const struct review *review)
{
	const struct item *item = &stored->item;
	AUTO(string_free) char *subject = readable(item->subject);
	AUTO(string_free) char *from = readable(item->from);
	char text[DAY_TIME_SIZE], size[32];

	snprintf(size, sizeof(size), "%llu", (unsigned long long)item->length);
	say_row("Item", item->id);
	say_row("Held since", day_time(item->time_s, text));
	if (item->expires_s != 0)
		say_row("Expires", day_time(item->expires_s, text));
	say_row("Action", item->action);
	say_row("Reason", item->reason);
	say_row("Sender", item->envelope.sender[0] == '\0' ? "<>" : item->envelope.sender);
	show_recipients(item, review);
	say_row("Client", item->client.address);
	say_row("Client name", item->client.name);
	say_row("HELO", item->client.helo);
	say_row("Login", item->envelope.auth_login);
	say_row("Queue id", item->envelope.queue_id);
	show_verdict(item);
	say_row("Size", size);
	say_row("SHA-256", item->digest);
	say_row("From", from);
	say_row("Subject", subject);
}

/* One line without its end, cut; tabs become blanks, all else is for an encoder. */
static void copy_line(struct cursor line, char ret_text[LINE_SHOWN + 8])
{
	size_t length = cursor_left(&line);
	size_t shown = length < LINE_SHOWN ? length : LINE_SHOWN;

	for (size_t i = 0; i < shown; i++)
		ret_text[i] = line.at[i] == '\t' ? ' ' : line.at[i] == '\0' ? '?' : line.at[i];
	snprintf(ret_text + shown, 8, "%s", shown < length ? " ..." : "");
}

typedef void line_visitor(const char *line, bool in_body, void *context);

/* The header and up to `lines` lines of the text; false when it cannot be read. */
static bool each_line(
	const struct stored *stored, uint64_t lines, line_visitor *visit, void *context)
{
	AUTO(string_free) char *bytes = malloc(HEAD_SIZE);
	long got = bytes == NULL ? -1 : stored_read(stored, 0, bytes, HEAD_SIZE);
	bool in_body = false;
	uint64_t shown = 0;
	struct cursor cursor, line;

	if (got < 0)
		return false;
	cursor = cursor_over(bytes, (size_t)got);
	while (!cursor_at_end(&cursor) && shown < lines) {
		char text[LINE_SHOWN + 8];

		if (!cursor_line(&cursor, &line)) {
			line = cursor;
			cursor.at = cursor.end;
		}
		if (!in_body && cursor_at_end(&line)) {
			in_body = true;
			continue;
		}
		shown += in_body;
		copy_line(line, text);
		visit(text, in_body, context);
	}
	return true;
}

static void print_line(const char *line, bool in_body, void *context)
{
	bool *text_begun = context;

	if (in_body && !*text_begun)
		puts("\nText:");
	*text_begun = in_body;
	fputs("  ", stdout);
	say_untrusted(line);
	putchar('\n');
}

static int show_message(const struct stored *stored, uint64_t lines)
{
	bool text_begun = false;

	puts("\nHeader:");
	return each_line(stored, lines, print_line, &text_begun) ?
		EXIT_DONE :
		tool_fail("cannot read the message");
}

static void add_line(const char *line, bool in_body, void *json)
{
	json_array_append_new(json_object_get(json, in_body ? "text" : "header"), json_text(line));
}

static json_t *show_json(const struct stored *stored, const struct review *review,
	const char *trouble, uint64_t lines)
{
	json_t *json = item_as_json(stored, STORED_GOOD, review, trouble);

	json_object_set_new(json, "header", json_array());
	json_object_set_new(json, "text", json_array());
	(void)each_line(stored, lines, add_line, json);
	return json;
}

static int copy_raw(const struct stored *stored, int fd)
{
	AUTO(string_free) char *piece = malloc(65536);
	uint64_t offset = 0;
	long got = -1;

	while (piece != NULL && (got = stored_read(stored, offset, piece, 65536)) > 0) {
		if (io_write_all(fd, piece, (size_t)got) != 0)
			return tool_fail("cannot write the message");
		offset += (uint64_t)got;
	}
	return got == 0 ? EXIT_DONE : tool_fail("cannot read the message");
}

/* The original bytes: never to a terminal, which would obey them. */
static int show_raw(const struct stored *stored, const char *output)
{
	int fd, code;

	if (output == NULL) {
		fflush(stdout);
		if (isatty(STDOUT_FILENO))
			return tool_fail("--raw writes to a file or a pipe: give --output FILE");
		return copy_raw(stored, STDOUT_FILENO);
	}
	fd = open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		char words[128];

		return tool_fail(
			"cannot create %s: %s", output, err_words(errno, words, sizeof(words)));
	}
	code = copy_raw(stored, fd);
	if (close(fd) != 0 && code == EXIT_DONE)
		code = tool_fail("cannot write %s", output);
	return code;
}

static int show_sound(struct tool *tool, const struct desk *desk, const struct stored *stored,
	const struct show_options *options)
{
	struct err err = ERR_INIT;
	struct review review = { 0 };
	bool known;

	if (options->raw)
		return show_raw(stored, options->output);
	known = review_read(&desk->directory, &stored->item, &review, &err) == 0;
	if (tool->json) {
		say_json(show_json(stored, known ? &review : NULL, err.text, options->line_count));
	} else {
		show_facts(stored, known ? &review : NULL);
		show_message(stored, options->line_count);
	}
	if (!known)
		tool_fail("%s", err.text);
	review_free(&review);
	return known ? EXIT_DONE : EXIT_REFUSED;
}

static int show_one(struct tool *tool, const struct desk *desk, const struct catalogue *catalogue,
	const char *prefix, const struct show_options *options)
{
	struct err err = ERR_INIT;
	struct stored stored;
	enum stored_result result = desk_item(desk, catalogue, prefix, &stored);
	int code = EXIT_REFUSED;

	if (result == STORED_GOOD) {
		result = stored_verify(&stored, &err);
		if (result != STORED_GOOD)
			tool_fail("%s: %s", stored.entry.id, err.text);
		/* What is damaged is shown all the same, so that it can be judged; never raw. */
		if (result == STORED_GOOD || !options->raw)
			code = show_sound(tool, desk, &stored, options);
		if (result != STORED_GOOD)
			code = EXIT_REFUSED;
	}
	if (stored.fd >= 0 && (result == STORED_GOOD || result == STORED_DAMAGED))
		stored_close(&stored);
	return code;
}

int quarantine_show(struct tool *tool, int argc, char **argv)
{
	struct show_options show = { .line_count = DEFAULT_LINES };
	const struct tool_option options[] = {
		{ "directory", TAKES_TEXT, &show.directory },
		{ "output", TAKES_TEXT, &show.output },
		{ "lines", TAKES_TEXT, &show.lines },
		{ "raw", TAKES_NOTHING, &show.raw },
		{ NULL, TAKES_NOTHING, NULL },
	};
	int first = tool_options(tool, argc, argv, options), code, worst = EXIT_DONE;
	struct catalogue catalogue = { 0 };
	struct err err = ERR_INIT;
	struct desk desk;

	if (first == argc)
		tool_usage(tool, "which item?");
	if (show.raw && argc - first > 1)
		tool_usage(tool, "--raw takes one item");
	if (show.lines != NULL) {
		struct cursor lines = cursor_over(show.lines, strlen(show.lines));

		if (!cursor_number(&lines, 1000000, &show.line_count) || !cursor_at_end(&lines))
			tool_usage(tool, "--lines wants a number");
	}
	code = desk_open(tool, &desk, show.directory, DIRECTORY_READ, false);
	if (code != EXIT_DONE)
		return code;
	if (catalogue_read(&desk.directory, &catalogue, &err) != 0)
		worst = tool_fail("%s", err.text);
	for (int i = first; i < argc && worst == EXIT_DONE; i++) {
		if (i > first && !tool->json)
			putchar('\n');
		worst = show_one(tool, &desk, &catalogue, argv[i], &show);
	}
	catalogue_free(&catalogue);
	desk_close(&desk);
	return worst;
}
