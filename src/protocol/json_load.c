/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as it was written, or none. */
#include "protocol/json_load.h"

#include <stdlib.h>

/*
 * What jansson's lexer needs at most when it makes room for one more byte: it begins with 16 bytes
 * and doubles them (strbuffer.c), so that twice the text is enough.
 */
#define LEXER_MIN 64

/*
 * While one text is parsed, the first failure is the last: nothing of this thread succeeds after.
 * The one that failed gets the reserve, and the text ends there. The lexer looks at no result when
 * it keeps a byte, and its assertions end the program when one is missing (lex_unget_unsave).
 */
static _Thread_local struct {
	bool guarded, exhausted;
	void *reserve;
	size_t reserve_size;
} parse;

struct source {
	const char *at, *end;
};

static void *guarded_malloc(size_t size)
{
	void *memory = parse.guarded && parse.exhausted ? NULL : malloc(size);

	if (memory != NULL || !parse.guarded || parse.exhausted)
		return memory;
	parse.exhausted = true;
	return size <= parse.reserve_size ? parse.reserve : NULL;
}

static void guarded_free(void *memory)
{
	if (memory != parse.reserve)
		free(memory);
}

/* Before main: jansson's allocator is global and must not change while threads use it. */
__attribute__((constructor)) static void guard_jansson(void)
{
	json_set_alloc_funcs(guarded_malloc, guarded_free);
}

/* Byte by byte, so that jansson holds none that it has not looked at when memory runs out. */
static size_t next_byte(void *buffer, size_t size, void *context)
{
	struct source *source = context;

	if (parse.exhausted || source->at == source->end || size == 0)
		return 0;
	*(char *)buffer = *source->at++;
	return 1;
}

json_t *json_load_whole(
	const char *bytes, size_t length, bool *ret_no_memory, json_error_t *ret_error)
{
	struct source source = { bytes, bytes + length };
	json_t *json = NULL;

	parse.reserve_size = 2 * length + LEXER_MIN;
	parse.reserve = malloc(parse.reserve_size);
	parse.exhausted = parse.reserve == NULL;
	if (!parse.exhausted) {
		parse.guarded = true;
		json = json_load_callback(next_byte, &source, JSON_REJECT_DUPLICATES, ret_error);
		parse.guarded = false;
	}
	*ret_no_memory = parse.exhausted;
	if (parse.exhausted) {
		json_decref(json);
		json = NULL;
	}
	free(parse.reserve);
	parse.reserve = NULL;
	return json;
}
