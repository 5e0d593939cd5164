/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of the digests that went out. */
#include "quarantine/digest_record.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "quarantine/address.h"
#include "quarantine/catalogue.h"
#include "quarantine/limits.h"

#define LAST_FILE "last"
#define TIME_MAX  99999999999

void digest_record_name(int64_t number, char ret_name[DIGEST_RECORD_NAME])
{
	snprintf(ret_name, DIGEST_RECORD_NAME, "sent.%" PRId64, number);
}

static bool read_file(const struct directory *directory, const char *name, struct buf *content)
{
	AUTO(descriptor_close) int fd = directory_open_file(directory, FOLDER_DIGEST, name);
	char piece[4096];
	ssize_t got = -1;

	while (fd >= 0 && (got = read(fd, piece, sizeof(piece))) > 0)
		buf_append(content, piece, (size_t)got);
	return fd >= 0 && got == 0 && !content->failed;
}

int64_t digest_reported(const struct directory *directory)
{
	AUTO(buf_free) struct buf content;
	struct cursor cursor;
	uint64_t number = 0;

	buf_init(&content, 64);
	if (!read_file(directory, LAST_FILE, &content))
		return 0;
	cursor = cursor_over(buf_text(&content), content.length);
	return cursor_number(&cursor, TIME_MAX, &number) ? (int64_t)number : 0;
}

int digest_set_reported(const struct directory *directory, int64_t time_s, struct err *err)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%" PRId64 "\n", time_s);

	return directory_replace(directory, FOLDER_DIGEST, LAST_FILE, text, (size_t)length, err);
}

/* The number of "sent.N"; false when it is another file. */
static bool record_number(const char *name, int64_t *ret_number)
{
	struct cursor cursor = cursor_over(name, strlen(name));
	uint64_t number;

	if (!cursor_literal(&cursor, "sent.") || !cursor_number(&cursor, UINT32_MAX, &number) ||
		!cursor_at_end(&cursor))
		return false;
	*ret_number = (int64_t)number;
	return true;
}

/* Note one line, an address. False when out of memory. */
static bool note(json_t *until_of, const struct cursor *line, int64_t until_s)
{
	char address[LIMIT_SMTP_LINE + 1];
	AUTO(string_free) char *key = NULL;

	snprintf(address, sizeof(address), "%.*s", (int)cursor_left(line), line->at);
	key = address_folded(address);
	if (key == NULL)
		return false;
	if (json_integer_value(json_object_get(until_of, key)) >= until_s)
		return true;
	/* What is no UTF-8 was never sent to. */
	(void)json_object_set_new(until_of, key, json_integer(until_s));
	return true;
}

/* Read one record; `until_of` may be NULL. False when it cannot be read. */
static bool read_record(const struct directory *directory, const char *name, json_t *until_of,
	struct digest_record *ret)
{
	AUTO(buf_free) struct buf content;
	struct cursor cursor, line;
	uint64_t until = 0;

	buf_init(&content, LIMIT_DIGEST_STATE);
	if (!read_file(directory, name, &content))
		return false;
	cursor = cursor_over(buf_text(&content), content.length);
	if (!cursor_literal(&cursor, "until ") || !cursor_number(&cursor, TIME_MAX, &until) ||
		!cursor_byte(&cursor, '\n'))
		return false;
	ret->until_s = (int64_t)until;
	ret->count = 0;
	while (cursor_line(&cursor, &line)) {
		if (cursor_at_end(&line))
			continue;
		if (until_of != NULL && !note(until_of, &line, ret->until_s))
			return false;
		ret->count++;
	}
	ret->torn = !cursor_at_end(&cursor);
	return true;
}

/* Everybody was told, or we give up: such a record is of no use. */
static bool is_over(
	const struct directory *directory, int64_t number, const struct digest_record *record)
{
	bool too_old = record->number + LIMIT_DIGEST_PERIODS < number;

	if (record->number == number)
		return false;
	if (record->until_s <= digest_reported(directory))
		return true;
	return too_old && digest_set_reported(directory, record->until_s, NULL) == 0;
}

static int read_records(
	const struct directory *directory, int64_t number, DIR *names, struct digest_told *told)
{
	struct dirent *entry;

	while ((entry = readdir(names)) != NULL) {
		struct digest_record record;

		if (!record_number(entry->d_name, &record.number) || record.number > number)
			continue;
		if (!read_record(directory, entry->d_name, told->until_of, &record)) {
			/* Today's has to be right; an old one that is broken only goes. */
			if (record.number == number)
				return -1;
			(void)unlinkat(dirfd(names), entry->d_name, 0);
			continue;
		}
		if (record.number > told->latest.number)
			told->latest = record;
		if (is_over(directory, number, &record))
			(void)unlinkat(dirfd(names), entry->d_name, 0);
	}
	return 0;
}

int digest_told_read(
	const struct directory *directory, int64_t number, struct digest_told *ret, struct err *err)
{
	struct digest_told told = { { .number = -1 }, json_object() };
	DIR *names = directory_names(directory, FOLDER_DIGEST);
	int result = -1;

	if (names != NULL && told.until_of != NULL)
		result = read_records(directory, number, names, &told);
	if (names != NULL)
		closedir(names);
	if (result != 0) {
		digest_told_free(&told);
		return err_set(
			err, "cannot read whom digests went to (digest/sent.%" PRId64 ")", number);
	}
	*ret = told;
	return 0;
}

void digest_told_free(struct digest_told *told)
{
	json_decref(told->until_of);
	*told = (struct digest_told){ { .number = -1 }, NULL };
}

int64_t digest_told_until(const struct digest_told *told, const char *address)
{
	AUTO(string_free) char *key = address_folded(address);

	return key == NULL ? 0 : json_integer_value(json_object_get(told->until_of, key));
}

/* When the newest digest of any record went to anybody; 0: none did by now. */
static int64_t newest_sent(const struct directory *directory, int64_t now_s)
{
	DIR *names = directory_names(directory, FOLDER_DIGEST);
	struct dirent *entry;
	int64_t newest_s = 0;

	while (names != NULL && (entry = readdir(names)) != NULL) {
		struct digest_record record;

		if (record_number(entry->d_name, &record.number) &&
			read_record(directory, entry->d_name, NULL, &record) && record.count > 0 &&
			record.until_s > newest_s && record.until_s <= now_s)
			newest_s = record.until_s;
	}
	if (names != NULL)
		closedir(names);
	return newest_s;
}

int digest_state(
	const struct directory *directory, int64_t now_s, struct digest_state *ret, struct err *err)
{
	struct digest_state state = { digest_reported(directory), 0 };
	int64_t sent_s = newest_sent(directory, now_s);
	struct catalogue catalogue;

	if (catalogue_read(directory, &catalogue, err) != 0)
		return -1;
	if (state.last_s > now_s)
		state.last_s = 0;
	if (sent_s > state.last_s)
		state.last_s = sent_s;
	for (size_t i = 0; i < catalogue.count; i++) {
		int64_t held_s = catalogue.entries[i].time_us / 1000000;

		if (held_s <= state.last_s)
			break; /* newest first */
		state.waiting_s = held_s;
	}
	catalogue_free(&catalogue);
	*ret = state;
	return 0;
}

bool digest_is_overdue(const struct digest_state *state, int64_t now_s)
{
	return state->waiting_s != 0 && now_s - state->waiting_s > DIGEST_OVERDUE_S;
}
