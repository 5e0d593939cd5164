/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as an alias table: no crash, and what is found is a name as it is compared. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/alias_table.h"
#include "config/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct complaints complaints = { .file = "fuzz" };
	struct alias_table *table = alias_table_new();
	struct strlist errors = { 0 };
	char again[1024];
	const char *found;
	struct buf text;
	unsigned line;

	buf_init(&text, SIZE_MAX / 2);
	buf_append(&text, data, size);
	alias_table_parse(table, &text, &complaints);
	found = alias_table_find(table, "example.net", &line);
	if (found != NULL &&
		(!domain_normalise(found, again, sizeof(again)) || strcmp(found, again) != 0))
		abort();
	complaints_move(&complaints, &errors);
	strlist_free(&errors);
	alias_table_free(&table);
	buf_free(&text);
	return 0;
}
