/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Says what a test finds in a quarantine, by the code that the tool uses:
 *
 *   look DIRECTORY          one line an item: "good|damaged|strange ID LENGTH STATE"
 *   look DIRECTORY ID       the original message of one item on standard output
 *
 * The exit code is 0 unless the directory cannot be read or the item is not good.
 */
#include <stdio.h>
#include <string.h>

#include "quarantine/list.h"

static bool show(const struct list_line *line, void *context)
{
	const struct stored *stored = line->stored;
	bool good = line->result == STORED_GOOD && stored_verify(stored, NULL) == STORED_GOOD;

	(void)context;
	printf("%s %s %llu %s\n",
		good                                   ? "good" :
			line->result == STORED_STRANGE ? "strange" :
							 "damaged",
		stored->entry.id, good ? (unsigned long long)stored->item.length : 0,
		line->review == NULL ? "-" : recipient_state_name(review_summary(line->review)));
	return true;
}

static int copy_out(const struct directory *directory, const char *id, struct err *err)
{
	const struct catalogue_entry *entry;
	struct catalogue catalogue;
	struct stored stored;
	uint64_t offset = 0;
	char piece[8192];
	long got;

	if (catalogue_read(directory, &catalogue, err) != 0)
		return -1;
	entry = catalogue_find(&catalogue, id, err);
	if (entry == NULL || stored_open(directory, entry, &stored, err) != STORED_GOOD ||
		stored_verify(&stored, err) != STORED_GOOD)
		return -1;
	while ((got = stored_read(&stored, offset, piece, sizeof(piece))) > 0) {
		fwrite(piece, 1, (size_t)got, stdout);
		offset += (uint64_t)got;
	}
	stored_close(&stored);
	catalogue_free(&catalogue);
	return (int)got;
}

int main(int argc, char **argv)
{
	struct list_filter filter = { .limit = 0 };
	struct directory directory;
	struct err err = ERR_INIT;
	int result;

	if (argc < 2 || directory_open(argv[1], DIRECTORY_READ, &directory, &err) != 0) {
		fprintf(stderr, "look: %s\n", argc < 2 ? "which directory?" : err.text);
		return 1;
	}
	result = argc == 2 ? list_items(&directory, &filter, show, NULL, &err) :
			     copy_out(&directory, argv[2], &err);
	directory_close(&directory);
	if (result != 0)
		fprintf(stderr, "look: %s\n", err.text);
	return result == 0 ? 0 : 1;
}
