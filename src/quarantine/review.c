/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of an item's recipients. */
#include "quarantine/review.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "quarantine/limits.h"

static const char *const words[] = {
	[RECIPIENT_HELD] = "held",
	[RECIPIENT_RELEASED] = "released",
	[RECIPIENT_UNSURE] = "unsure",
	[RECIPIENT_REFUSED] = "refused",
	[RECIPIENT_DEFERRED] = "deferred",
};

const char *recipient_state_name(enum recipient_state state)
{
	return words[state];
}

bool recipient_state_parse(const char *word, enum recipient_state *ret_state)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret_state = (enum recipient_state)i;
			return true;
		}
	}
	return false;
}

bool review_init(struct review *review, const struct item *item)
{
	size_t count = item->envelope.recipients.count;

	review->lines = calloc(count + 1, sizeof(*review->lines));
	review->count = review->lines == NULL ? 0 : count;
	return review->lines != NULL;
}

void review_free(struct review *review)
{
	for (size_t i = 0; i < review->count; i++) {
		free(review->lines[i].by);
		free(review->lines[i].note);
	}
	free(review->lines);
	*review = (struct review){ 0 };
}

bool review_set(struct review *review, size_t recipient, enum recipient_state state, const char *by,
	const char *note)
{
	struct review_line *line = &review->lines[recipient];
	char *new_by = strdup(by == NULL ? "" : by), *new_note = strdup(note == NULL ? "" : note);

	if (new_by == NULL || new_note == NULL) {
		free(new_by);
		free(new_note);
		return false;
	}
	free(line->by);
	free(line->note);
	*line = (struct review_line){ state, time(NULL), new_by, new_note };
	return true;
}

static void put_escaped(struct buf *out, const char *text)
{
	buf_putc(out, ' ');
	for (const char *at = text; *at != '\0'; at++) {
		if (*at > 0x20 && *at < 0x7f && *at != '%')
			buf_putc(out, *at);
		else
			buf_printf(out, "%%%02x", (unsigned)(unsigned char)*at);
	}
}

/* A blank and one escaped word (maybe empty). NULL when malformed or out of memory. */
static char *take_escaped(struct cursor *line)
{
	struct cursor word = { NULL, NULL };
	char *text, *out;

	if (!cursor_byte(line, ' '))
		return NULL;
	if (!cursor_until(line, ' ', &word))
		word = cursor_over(line->at, 0);
	text = out = malloc(cursor_left(&word) + 1);
	while (text != NULL && !cursor_at_end(&word)) {
		char c = *word.at++;

		if (c == '%' && (!cursor_hex(&word, &c) || c == '\0')) {
			free(text);
			return NULL;
		}
		*out++ = c;
	}
	if (text != NULL)
		*out = '\0';
	return text;
}

static bool take_state(struct cursor *line, enum recipient_state *ret_state)
{
	struct cursor span;
	char word[16];

	if (!cursor_byte(line, ' ') || !cursor_until(line, ' ', &span) ||
		cursor_left(&span) >= sizeof(word))
		return false;
	memcpy(word, span.at, cursor_left(&span));
	word[cursor_left(&span)] = '\0';
	return recipient_state_parse(word, ret_state);
}

static bool take_line(struct cursor *line, struct review *review)
{
	enum recipient_state state;
	uint64_t index, seconds;
	struct review_line *entry;

	if (!cursor_number(line, UINT32_MAX, &index) || index >= review->count ||
		!take_state(line, &state) || !cursor_byte(line, ' ') ||
		!cursor_number(line, 99999999999, &seconds))
		return false;
	entry = &review->lines[index];
	if (entry->by != NULL)
		return false;
	entry->state = state;
	entry->time_s = (int64_t)seconds;
	entry->by = take_escaped(line);
	entry->note = take_escaped(line);
	return entry->by != NULL && entry->note != NULL && cursor_at_end(line);
}

static int read_all(int fd, struct buf *content)
{
	char chunk[8192];
	ssize_t got;

	while ((got = read(fd, chunk, sizeof(chunk))) != 0) {
		if (got < 0 && errno != EINTR)
			return -1;
		if (got > 0 && !buf_append(content, chunk, (size_t)got)) {
			errno = ENOMEM;
			return -1;
		}
	}
	return 0;
}

static bool parse(struct review *review, const struct buf *content)
{
	struct cursor cursor = cursor_over(buf_text(content), content->length);
	struct cursor line;

	while (cursor_line(&cursor, &line))
		if (!take_line(&line, review))
			return false;
	return cursor_at_end(&cursor);
}

/* Fill the review, which was made for the item, from its record. */
static int read_record(int fd, const struct item *item, struct review *review, struct err *err)
{
	AUTO(buf_free) struct buf content;

	buf_init(&content, LIMIT_REVIEW);
	if (read_all(fd, &content) != 0)
		return err_set_errno(err, errno, "cannot read the record of item %s", item->id);
	errno = 0;
	if (parse(review, &content))
		return 0;
	if (errno == ENOMEM)
		return err_set(err, "out of memory");
	return err_set(err, "the record of item %s (review/%s) is damaged", item->id, item->id);
}

int review_read(const struct directory *directory, const struct item *item, struct review *ret,
	struct err *err)
{
	AUTO(descriptor_close) int fd = -1;
	struct review review;

	if (!review_init(&review, item))
		return err_set(err, "out of memory");
	if (directory->folders[FOLDER_REVIEW] >= 0)
		fd = directory_open_file(directory, FOLDER_REVIEW, item->id);
	if (fd < 0 && directory->folders[FOLDER_REVIEW] >= 0 && errno != ENOENT) {
		review_free(&review);
		return err_set_errno(err, errno, "cannot open the record of item %s", item->id);
	}
	if (fd >= 0 && read_record(fd, item, &review, err) != 0) {
		review_free(&review);
		return -1;
	}
	*ret = review;
	return 0;
}

int review_write(const struct directory *directory, const struct item *item,
	const struct review *review, struct err *err)
{
	AUTO(buf_free) struct buf content;

	buf_init(&content, LIMIT_REVIEW);
	for (size_t i = 0; i < review->count; i++) {
		const struct review_line *line = &review->lines[i];

		if (line->by == NULL)
			continue;
		buf_printf(&content, "%zu %s %" PRId64, i, words[line->state], line->time_s);
		put_escaped(&content, line->by);
		put_escaped(&content, line->note);
		buf_putc(&content, '\n');
	}
	if (content.failed)
		return err_set(err, "out of memory");
	return directory_replace(
		directory, FOLDER_REVIEW, item->id, buf_text(&content), content.length, err);
}

enum recipient_state review_summary(const struct review *review)
{
	static const enum recipient_state order[] = { RECIPIENT_HELD, RECIPIENT_DEFERRED,
		RECIPIENT_UNSURE, RECIPIENT_REFUSED };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (size_t j = 0; j < review->count; j++)
			if (review->lines[j].state == order[i])
				return order[i];
	return RECIPIENT_RELEASED;
}
