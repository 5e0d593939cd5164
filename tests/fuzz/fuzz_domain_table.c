/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a domain table: no crash, and every entry is found under its key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/domain_table.h"
#include "config/policy_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct policy_index *index, size_t number)
{
	struct policy_entry entry, found;

	policy_index_get(index, number, &entry);
	if (!policy_index_find(index, entry.key, &found) || found.origin.line != entry.origin.line)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct complaints complaints = { .file = "fuzz" };
	struct policy_index *index = policy_index_new();
	struct strlist pool = { 0 }, errors = { 0 };
	struct buf text;

	buf_init(&text, SIZE_MAX / 2);
	buf_append(&text, data, size);
	domain_table_parse(&text, "fuzz", index, &pool, &complaints);
	for (size_t i = 0; i < policy_index_count(index); i++)
		check_entry(index, i);
	complaints_move(&complaints, &errors);
	strlist_free(&errors);
	strlist_free(&pool);
	policy_index_free(&index);
	buf_free(&text);
	return 0;
}
