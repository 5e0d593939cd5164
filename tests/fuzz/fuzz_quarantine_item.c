/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes what is read back from the quarantine, with memory and without: an item's block, encoded
 * words, release marks.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "quarantine/item.h"
#include "quarantine/release_mark.h"
#include "quarantine/words.h"
#include "starve.h"
#include "target.h"

/* What was read can be written, and reads the same again. */
static void write_again(struct item *item)
{
	enum item_parse_result result;
	struct item back;
	struct buf out;
	size_t need = 0;

	item_init(&back);
	buf_init(&out, 1 << 24);
	if (item_print(&out, item)) {
		result = item_parse(out.data, out.length, &need, &back, NULL);
		assert(result == ITEM_COMPLETE || (result == ITEM_NO_MEMORY && starve_failed()));
		if (result == ITEM_COMPLETE) {
			assert(strcmp(back.envelope.sender, item->envelope.sender) == 0);
			assert(back.envelope.recipients.count == item->envelope.recipients.count);
		}
	}
	buf_free(&out);
	item_free(&back);
}

static enum item_parse_result read_item(const char *text, size_t size)
{
	enum item_parse_result result;
	struct item item;
	size_t need = 0;

	item_init(&item);
	result = item_parse(text, size, &need, &item, NULL);
	if (result == ITEM_COMPLETE)
		write_again(&item);
	else
		assert(item.envelope.recipients.count == 0);
	item_free(&item);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1), *words, once[ITEM_ID_SIZE], id[ITEM_ID_SIZE];
	static const unsigned char body[DIGEST_SIZE];
	static const struct release_key key;
	enum item_parse_result fed, starved;

	memcpy(text, size > 0 ? (const char *)data : "", size);
	starve_count();
	fed = read_item(text, size);
	starve_begin(data, size);
	starved = read_item(text, size);
	if (!starve_end() || starved != ITEM_NO_MEMORY)
		assert(starved == fed);
	words = words_decode(text);
	assert(release_mark_check(&key, text, "a@b", body, 1, once, id) != MARK_VALID);
	free(words), free(text);
	return 0;
}
