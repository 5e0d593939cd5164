/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as it was written, or none. */
#include "protocol/json_load.h"

#include <stdlib.h>

/* While one text is parsed, the first failure is the last: nothing of this thread succeeds after. */
static _Thread_local bool guarded, exhausted;

static void *guarded_malloc(size_t size)
{
	void *memory = guarded && exhausted ? NULL : malloc(size);

	if (memory == NULL)
		exhausted = true;
	return memory;
}

/* Before main: jansson's allocator is global and must not change while threads use it. */
__attribute__((constructor)) static void guard_jansson(void)
{
	json_set_alloc_funcs(guarded_malloc, free);
}

json_t *json_load_whole(
	const char *bytes, size_t length, bool *ret_no_memory, json_error_t *ret_error)
{
	json_t *json;

	guarded = true;
	exhausted = false;
	json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, ret_error);
	guarded = false;
	*ret_no_memory = exhausted;
	if (!exhausted)
		return json;
	json_decref(json);
	return NULL;
}
