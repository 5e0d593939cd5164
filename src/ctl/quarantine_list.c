/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine list and search: one line an item, as wide as the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/encode.h"
#include "base/score.h"
#include "ctl/quarantine.h"

/* Columns of what always has the same width, blanks between included: time, id, score, state. */
#define FIXED_WIDTH (16 + 1 + SHORT_ID + 1 + 7 + 1 + 8 + 1)
/* Without clock and state, for terminals that are too narrow for all of it. */
#define NARROW_WIDTH (10 + 1 + SHORT_ID + 1 + 7 + 1)
/* Columns left for the rest; where there are fewer the subject is all of it. */
#define LEAST_WIDTH 14
/* One cell of a line before it is cut, bytes. */
#define CELL_SIZE 4096

struct list_output {
	bool json;
	bool narrow;       /* no clock, no state */
	bool only_subject; /* no sender, no recipients */
	size_t shown, damaged;
	size_t rest_width; /* of the next three and the blanks between */
	size_t sender_width, recipient_width, subject_width; /* columns; 0: as long as it is */
};

/* Columns of the terminal; 0 when the output goes elsewhere and nobody has set COLUMNS. */
static size_t terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct cursor cursor =
		cursor_over(columns == NULL ? "" : columns, columns == NULL ? 0 : strlen(columns));
	struct winsize size;
	uint64_t number = 0;

	if (cursor_number(&cursor, 10000, &number) && cursor_at_end(&cursor))
		return (size_t)number;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 0;
}

static void share_width(struct list_output *output)
{
	size_t width = terminal_width(), fixed = FIXED_WIDTH, left;

	if (width == 0)
		return;
	output->narrow = width < FIXED_WIDTH + LEAST_WIDTH;
	if (output->narrow)
		fixed = NARROW_WIDTH;
	left = width > fixed ? width - fixed : 1;
	output->rest_width = left;
	output->only_subject = left < LEAST_WIDTH;
	if (output->only_subject) {
		output->subject_width = left;
		return;
	}
	output->sender_width = (left - 2) * 3 / 10;
	output->recipient_width = (left - 2) * 3 / 10;
	output->subject_width = left - 2 - output->sender_width - output->recipient_width;
}

/* Columns that a character takes up: wide ones of East Asia and pictures two, accents none. */
static size_t columns_of(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} wide[] = { { 0x1100, 0x115f }, { 0x2e80, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff },
		{ 0x20000, 0x3fffd } };

	if (c >= 0x300 && c <= 0x36f)
		return 0;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (c >= wide[i].first && c <= wide[i].last)
			return 2;
	return 1;
}

/* The character at `at` of valid UTF-8. */
static uint32_t character(const char *at, size_t *ret_length)
{
	unsigned char first = (unsigned char)*at;
	size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t c = length == 1 ? first : first & (0x7fu >> length);

	for (size_t i = 1; i < length; i++)
		c = c << 6 | ((unsigned char)at[i] & 0x3f);
	*ret_length = length;
	return c;
}

/* Print untrusted text, cut with a '~' where it is wider than that; 0: as long as it is. */
static size_t cut(const char *text, size_t width)
{
	AUTO(buf_free) struct buf safe;
	size_t used = 0, length = 0;
	const char *at;

	buf_init(&safe, 8 * CELL_SIZE);
	encode_terminal(&safe, text, strnlen(text, CELL_SIZE));
	for (at = buf_text(&safe); *at != '\0'; at += length) {
		size_t columns = columns_of(character(at, &length));

		if (width != 0 && used + columns > width - (at[length] != '\0'))
			break;
		used += columns;
	}
	fwrite(buf_text(&safe), 1, (size_t)(at - buf_text(&safe)), stdout);
	if (*at == '\0')
		return used;
	putchar('~');
	return used + 1;
}

/* A cell, filled with blanks, and one behind it. */
static void cell(const char *text, size_t width)
{
	for (size_t used = cut(text, width); used < width; used++)
		putchar(' ');
	putchar(' ');
}

/* "a@b" or "a@b +4": how many there are is never hidden (trap 79). */
static void recipients_cell(const struct strlist *recipients, size_t width)
{
	char more[32] = "";
	size_t length, used;

	if (recipients->count == 1) {
		cell(recipients->items[0], width);
		return;
	}
	length = (size_t)snprintf(more, sizeof(more), " +%zu", recipients->count - 1);
	used = cut(recipients->items[0], width == 0 ? 0 : width > length + 1 ? width - length : 1);
	fputs(more, stdout);
	for (used += length; used < width; used++)
		putchar(' ');
	putchar(' ');
}

/* What every line begins with. */
static void print_start(const struct list_output *output, int64_t time_s, const char *id,
	const char *score, const char *state)
{
	char when[DAY_TIME_SIZE];

	printf("%.*s %.*s %7s ", output->narrow ? 10 : DAY_TIME_SIZE, day_time(time_s, when),
		SHORT_ID, id, score);
	if (!output->narrow)
		printf("%-8s ", state);
}

static void print_unreadable(const struct list_output *output, const struct list_line *line)
{
	const struct catalogue_entry *entry = &line->stored->entry;

	print_start(output, entry->time_us / 1000000, entry->id, output->narrow ? "DAMAGED" : "-",
		"DAMAGED");
	cut(line->trouble, output->rest_width);
	putchar('\n');
}

static void print_item(const struct list_output *output, const struct list_line *line)
{
	const struct item *item = &line->stored->item;
	AUTO(string_free) char *subject = readable(item->subject);
	const char *sender = item->envelope.sender;
	char score[SCORE_TEXT_SIZE] = "-";

	if (item->verdict.status == VERDICT_SCORED)
		score_format(item->verdict.score, 1, score);
	print_start(output, item->time_s, item->id, score,
		line->review == NULL ? "?" : recipient_state_name(review_summary(line->review)));
	if (!output->only_subject) {
		cell(sender[0] == '\0' ? "<>" : sender, output->sender_width);
		recipients_cell(&item->envelope.recipients, output->recipient_width);
	}
	cut(subject == NULL ? "" : subject, output->subject_width);
	putchar('\n');
}

static void print_json(struct list_output *output, const struct list_line *line)
{
	json_t *json = item_as_json(line->stored, line->result, line->review, line->trouble);

	/* One at a time: a hundred thousand of them need no memory. */
	fputs(output->shown == 1 ? "[\n" : ",\n", stdout);
	print_json_value(json, JSON_COMPACT);
	json_decref(json);
}

static bool visit(const struct list_line *line, void *context)
{
	struct list_output *output = context;

	desk_progress_hide();
	output->shown++;
	output->damaged += line->result != STORED_GOOD;
	if (output->json)
		print_json(output, line);
	else if (line->result == STORED_GOOD)
		print_item(output, line);
	else
		print_unreadable(output, line);
	return ferror(stdout) == 0;
}

static int run_list(struct tool *tool, const char *directory, const struct list_filter *filter)
{
	struct list_output output = { .json = tool->json };
	struct err err = ERR_INIT;
	struct desk desk;
	int code = desk_open(tool, &desk, directory, DIRECTORY_READ, false);

	if (code != EXIT_DONE)
		return code;
	share_width(&output);
	if (list_items(&desk.directory, filter, visit, &output, &err) != 0)
		code = tool_fail("%s", err.text);
	else if (tool->json)
		fputs(output.shown == 0 ? "[]\n" : "\n]\n", stdout);
	else if (isatty(STDOUT_FILENO))
		printf("%zu item%s%s\n", output.shown, output.shown == 1 ? "" : "s",
			filter->limit != 0 && output.shown == filter->limit ? " (--limit)" : "");
	if (output.damaged > 0 && !tool->json)
		tool_fail("%zu damaged; see spambridgectl quarantine verify", output.damaged);
	desk_close(&desk);
	return code;
}

int quarantine_list(struct tool *tool, int argc, char **argv)
{
	struct filter_words words = { .domain = NULL };
	struct tool_option options[FILTER_OPTIONS + 2] = { { NULL, TAKES_NOTHING, NULL } };
	const char *directory = NULL;
	struct list_filter filter;

	filter_options(&words, options);
	options[FILTER_OPTIONS] = (struct tool_option){ "directory", TAKES_TEXT, &directory };
	if (tool_options(tool, argc, argv, options) < argc)
		tool_usage(tool, "list takes no operand; to look for text use search");
	filter_take(tool, &words, &filter);
	return run_list(tool, directory, &filter);
}

int quarantine_search(struct tool *tool, int argc, char **argv)
{
	struct filter_words words = { .domain = NULL };
	struct tool_option options[FILTER_OPTIONS + 3] = { { NULL, TAKES_NOTHING, NULL } };
	const char *directory = NULL;
	struct list_filter filter;
	bool body = false;
	int first;

	filter_options(&words, options);
	options[FILTER_OPTIONS] = (struct tool_option){ "directory", TAKES_TEXT, &directory };
	options[FILTER_OPTIONS + 1] = (struct tool_option){ "body", TAKES_NOTHING, &body };
	first = tool_options(tool, argc, argv, options);
	if (argc - first != 1 || argv[first][0] == '\0')
		tool_usage(tool, "search wants one text");
	filter_take(tool, &words, &filter);
	filter.text = argv[first];
	filter.in_message = body;
	return run_list(tool, directory, &filter);
}
