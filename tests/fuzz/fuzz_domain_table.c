/* SPDX-License-Identifier: BSD-2-Clause */
/* Any file as a domain table: no crash, and every entry is found under its key. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/domain_table.h"
#include "config/policy_index.h"
#include "memory_file.h"
#include "target.h"

static void check_entry(const struct policy_index *index, size_t number)
{
	struct policy_entry entry, found;

	policy_index_get(index, number, &entry);
	assert(policy_index_find(index, entry.key, &found) &&
		found.origin.line == entry.origin.line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path = strdup(memory_file(data, size));
	struct complaints complaints = { .file = path };
	struct settings settings = { .domain_table = path, .index = policy_index_new() };
	struct strlist pool = { 0 }, errors = { 0 };

	assert(settings.index != NULL);
	domain_table_load(&settings, &pool, &complaints);
	for (size_t i = 0; i < policy_index_count(settings.index); i++)
		check_entry(settings.index, i);
	complaints_move(&complaints, &errors);
	strlist_free(&errors);
	strlist_free(&pool);
	policy_index_free(&settings.index);
	free(path);
	return 0;
}
