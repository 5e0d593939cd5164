/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes what is read back from the quarantine: an item's block, encoded words, release marks. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "quarantine/item.h"
#include "quarantine/release_mark.h"
#include "quarantine/words.h"
#include "target.h"

/* What was read can be written, and reads the same again. */
static void write_again(struct item *item)
{
	struct item back;
	struct buf out;
	size_t need = 0;

	item_init(&back);
	buf_init(&out, 1 << 24);
	if (item_print(&out, item)) {
		assert(item_parse(out.data, out.length, &need, &back, NULL) == ITEM_COMPLETE);
		assert(strcmp(back.envelope.sender, item->envelope.sender) == 0);
		assert(back.envelope.recipients.count == item->envelope.recipients.count);
	}
	buf_free(&out);
	item_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1), *words, once[ITEM_ID_SIZE], id[ITEM_ID_SIZE];
	static const unsigned char body[DIGEST_SIZE];
	static const struct release_key key;
	struct item item;
	size_t need = 0;

	memcpy(text, size > 0 ? (const char *)data : "", size);
	item_init(&item);
	if (item_parse(text, size, &need, &item, NULL) == ITEM_COMPLETE)
		write_again(&item);
	else
		assert(item.envelope.recipients.count == 0);
	words = words_decode(text);
	assert(release_mark_check(&key, text, "a@b", body, 1, once, id) != MARK_VALID);
	item_free(&item), free(words), free(text);
	return 0;
}
