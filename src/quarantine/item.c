/* SPDX-License-Identifier: BSD-2-Clause */
/* The header block in front of a quarantined message: writing and strict reading. */
#include "quarantine/item.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "quarantine/address.h"
#include "quarantine/item_json.h"
#include "quarantine/limits.h"

/* JSON bytes on one line of the block. */
#define FOLD_BYTES 76

void item_init(struct item *item)
{
	*item = (struct item){ 0 };
	verdict_init(&item->verdict);
}

void item_free(struct item *item)
{
	client_free(&item->client);
	envelope_free(&item->envelope);
	verdict_free(&item->verdict);
	free(item->action);
	free(item->reason);
	free(item->subject);
	free(item->from);
	free(item->date);
	free(item->message_id);
	item_init(item);
}

/* Bytes that `json` bytes take up when folded: a blank and CRLF a line. */
static size_t folded_size(size_t json)
{
	return json + (json + FOLD_BYTES - 1) / FOLD_BYTES * 3;
}

static void put_folded(struct buf *out, const struct buf *json)
{
	for (size_t at = 0; at < json->length; at += FOLD_BYTES) {
		size_t left = json->length - at;

		buf_putc(out, ' ');
		buf_append(out, json->data + at, left < FOLD_BYTES ? left : FOLD_BYTES);
		buf_append(out, "\r\n", 2);
	}
}

/* The fields for people and for tools that know amavis; they end the block. */
static void put_envelope(struct buf *out, const struct item *item)
{
	const struct strlist *recipients = &item->envelope.recipients;

	buf_puts(out, "X-Envelope-From: ");
	address_put_header(out, item->envelope.sender == NULL ? "" : item->envelope.sender);
	buf_puts(out, "\r\nX-Envelope-To: ");
	for (size_t i = 0; i < recipients->count; i++) {
		if (i > 0)
			buf_puts(out, ",\r\n\t");
		address_put_header(out, recipients->items[i]);
	}
	buf_puts(out, "\r\n");
}

bool item_print(struct buf *out, struct item *item)
{
	struct buf json, envelope;
	bool good;

	buf_init(&json, LIMIT_ITEM_JSON);
	buf_init(&envelope, LIMIT_ITEM_BLOCK);
	put_envelope(&envelope, item);
	good = item_json_print(&json, item) && !envelope.failed;
	item->block = ITEM_DIGEST_OFFSET + DIGEST_TEXT_SIZE - 1 + 2 + folded_size(json.length) +
		envelope.length;
	if (good) {
		buf_printf(out,
			"X-Quarantine-ID: %s\r\nX-Quarantine-Item: 1 json=%010zu block=%010zu "
			"length=%012" PRIu64 " sha256=%064d\r\n",
			item->id, json.length, item->block, item->length, 0);
		put_folded(out, &json);
		good = buf_append(out, envelope.data, envelope.length);
	}
	buf_free(&json);
	buf_free(&envelope);
	return good;
}

static bool fixed_number(
	struct cursor *cursor, const char *name, size_t digits, uint64_t max, uint64_t *ret_number)
{
	const char *begin;

	if (!cursor_literal(cursor, name))
		return false;
	begin = cursor->at;
	return cursor_number(cursor, max, ret_number) && (size_t)(cursor->at - begin) == digits;
}

/* The rest of a line, of exactly `length` bytes, and the end of the line. */
static bool take_rest(struct cursor *cursor, size_t length, struct cursor *ret_rest)
{
	return cursor_until(cursor, '\r', ret_rest) && cursor_left(ret_rest) == length &&
		cursor_literal(cursor, "\r\n");
}

static bool take_digest(struct cursor *cursor, char *ret_digest)
{
	struct cursor digits;

	if (!cursor_literal(cursor, " sha256=") ||
		!take_rest(cursor, DIGEST_TEXT_SIZE - 1, &digits))
		return false;
	for (size_t i = 0; i < DIGEST_TEXT_SIZE - 1; i++) {
		char c = digits.at[i];

		/* Lower case only: a flipped bit must not make another spelling of the same digest. */
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		ret_digest[i] = c;
	}
	ret_digest[DIGEST_TEXT_SIZE - 1] = '\0';
	return true;
}

struct block_head {
	uint64_t json, block, length;
	char id[ITEM_ID_SIZE];
	char digest[DIGEST_TEXT_SIZE];
};

/* The two lines of fixed width. */
static bool take_head(struct cursor *cursor, struct block_head *head)
{
	struct cursor id;

	if (!cursor_literal(cursor, "X-Quarantine-ID: ") || !take_rest(cursor, ITEM_ID_LENGTH, &id))
		return false;
	memcpy(head->id, id.at, ITEM_ID_LENGTH);
	head->id[ITEM_ID_LENGTH] = '\0';
	return item_id_is_valid(head->id) && cursor_literal(cursor, "X-Quarantine-Item: 1") &&
		fixed_number(cursor, " json=", 10, LIMIT_ITEM_JSON, &head->json) &&
		fixed_number(cursor, " block=", 10, LIMIT_ITEM_BLOCK, &head->block) &&
		fixed_number(cursor, " length=", 12, LIMIT_ITEM_MESSAGE, &head->length) &&
		take_digest(cursor, head->digest) && head->json > 0 &&
		head->block > ITEM_DIGEST_OFFSET + folded_size(head->json);
}

/* Undo the folding of exactly `json` bytes into `out`. */
static bool unfold(struct cursor *cursor, size_t json, char *out)
{
	while (json > 0) {
		size_t piece = json < FOLD_BYTES ? json : FOLD_BYTES;
		struct cursor line;

		if (!cursor_byte(cursor, ' ') || !take_rest(cursor, piece, &line))
			return false;
		memcpy(out, line.at, piece);
		out += piece;
		json -= piece;
	}
	return true;
}

static enum item_parse_result parse_json(struct cursor *cursor, const struct block_head *head,
	struct item *ret_item, struct err *err)
{
	AUTO(string_free) char *json = malloc(head->json);
	enum item_parse_result result;
	struct item item;

	if (json == NULL)
		return ITEM_NO_MEMORY;
	if (!unfold(cursor, head->json, json)) {
		err_set(err, "its metadata is not folded as it was written");
		return ITEM_DAMAGED;
	}
	item_init(&item);
	result = item_json_parse(json, head->json, &item, err);
	if (result == ITEM_COMPLETE && strcmp(item.id, head->id) != 0) {
		err_set(err, "its metadata belongs to another item");
		result = ITEM_DAMAGED;
	}
	if (result != ITEM_COMPLETE) {
		item_free(&item);
		return result;
	}
	item.block = head->block;
	item.length = head->length;
	memcpy(item.digest, head->digest, sizeof(item.digest));
	item_free(ret_item);
	*ret_item = item;
	return ITEM_COMPLETE;
}

enum item_parse_result item_parse(
	const char *bytes, size_t length, size_t *ret_need, struct item *ret_item, struct err *err)
{
	struct cursor cursor = cursor_over(bytes, length);
	struct block_head head = { 0 };
	size_t need = ITEM_DIGEST_OFFSET + DIGEST_TEXT_SIZE + 1;

	if (length >= need) {
		if (!take_head(&cursor, &head)) {
			err_set(err, "it does not begin with the lines of an item");
			return ITEM_DAMAGED;
		}
		need += folded_size(head.json);
	}
	if (length < need) {
		*ret_need = need;
		return ITEM_MORE;
	}
	return parse_json(&cursor, &head, ret_item, err);
}
