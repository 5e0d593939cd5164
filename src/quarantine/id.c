/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of quarantined items. */
#include "quarantine/id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/cursor.h"

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

int item_id_new(char ret_id[ITEM_ID_SIZE], struct err *err)
{
	unsigned char random[ITEM_ID_LENGTH];
	ssize_t got;

	do {
		got = getrandom(random, sizeof(random), 0);
	} while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(random))
		return err_set_errno(err, got < 0 ? errno : EIO, "no randomness for an id");
	for (size_t i = 0; i < ITEM_ID_LENGTH; i++)
		ret_id[i] = alphabet[random[i] & 31];
	ret_id[ITEM_ID_LENGTH] = '\0';
	return 0;
}

/* Letters of the alphabet at the beginning of `text`. */
static size_t id_letters(const char *text)
{
	return strspn(text, alphabet);
}

bool item_id_is_valid(const char *text)
{
	return id_letters(text) == ITEM_ID_LENGTH && text[ITEM_ID_LENGTH] == '\0';
}

bool item_id_is_prefix(const char *text)
{
	size_t letters = id_letters(text);

	return letters > 0 && letters <= ITEM_ID_LENGTH && text[letters] == '\0';
}

const char *item_name_format(char name[ITEM_NAME_SIZE], const char *id, int64_t time_us)
{
	snprintf(name, ITEM_NAME_SIZE, "%010" PRId64 ".M%06uQ%.26s.spambridge",
		time_us / 1000000 % 10000000000, (unsigned)(time_us % 1000000), id);
	return name;
}

static bool fixed_number(struct cursor *cursor, size_t digits, uint64_t *ret_number)
{
	const char *begin = cursor->at;

	return cursor_number(cursor, UINT64_MAX / 2, ret_number) &&
		(size_t)(cursor->at - begin) == digits;
}

bool item_name_parse(const char *name, char ret_id[ITEM_ID_SIZE], int64_t *ret_time_us)
{
	struct cursor cursor = cursor_over(name, strlen(name));
	uint64_t seconds, micros;
	const char *id;

	if (!fixed_number(&cursor, 10, &seconds) || !cursor_literal(&cursor, ".M") ||
		!fixed_number(&cursor, 6, &micros) || !cursor_byte(&cursor, 'Q'))
		return false;
	id = cursor.at;
	if (cursor_left(&cursor) < ITEM_ID_LENGTH || id_letters(id) != ITEM_ID_LENGTH)
		return false;
	cursor.at += ITEM_ID_LENGTH;
	if (!cursor_literal(&cursor, ".spambridge") ||
		(!cursor_at_end(&cursor) && *cursor.at != ':'))
		return false;
	memcpy(ret_id, id, ITEM_ID_LENGTH);
	ret_id[ITEM_ID_LENGTH] = '\0';
	*ret_time_us = (int64_t)(seconds * 1000000 + micros);
	return true;
}
