/* SPDX-License-Identifier: BSD-2-Clause */
/* Any file as an alias table: no crash, names as they are compared, no line lost in silence. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/alias_table.h"
#include "config/names.h"
#include "memory_file.h"
#include "starve.h"
#include "target.h"

static void check_found(const struct alias_table *table)
{
	char again[1024];
	const char *found;
	unsigned line;

	found = alias_table_find(table, "example.net", &line);
	if (found != NULL)
		assert(domain_normalise(found, again, sizeof(again)) && strcmp(found, again) == 0);
}

/* How many aliases there are; as many as without memory unless something is wrong. */
static size_t load(const char *path, bool *ret_complaints)
{
	struct complaints complaints = { .file = "fuzz" };
	struct alias_table *table = alias_table_new();
	struct strlist errors = { 0 };
	size_t count = 0;

	*ret_complaints = table == NULL;
	if (table != NULL) {
		alias_table_load(table, path, &complaints);
		check_found(table);
		count = alias_table_count(table);
		assert(alias_table_memory(table) >= count);
		*ret_complaints = complaints_any(&complaints);
	}
	complaints_move(&complaints, &errors);
	strlist_free(&errors);
	alias_table_free(&table);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = memory_file(data, size);
	bool wrong, starved_wrong;
	size_t count, starved;

	starve_count();
	count = load(path, &wrong);
	starve_begin(data, size);
	starved = load(path, &starved_wrong);
	if (!starve_end() || !starved_wrong)
		assert(starved == count && starved_wrong == wrong);
	return 0;
}
