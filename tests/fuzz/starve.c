/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocations that fail where the input of a fuzz target says. */
#include "starve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a. */
#define HASH_BEGIN 2166136261u
#define HASH_PRIME 16777619u

static unsigned long calls, fails_at; /* from 1; 0: none */
static bool lasting, failed;

static bool fails(void)
{
	bool now;

	calls++;
	now = fails_at != 0 && (calls == fails_at || (lasting && calls > fails_at));
	if (now) {
		failed = true;
		errno = ENOMEM;
	}
	return now;
}

#define WRAP(type, name, ...)            \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAP(void *, malloc, size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

WRAP(void *, calloc, size_t number, size_t size)
{
	return fails() ? NULL : __real_calloc(number, size);
}

WRAP(void *, realloc, void *block, size_t size)
{
	return fails() ? NULL : __real_realloc(block, size);
}

WRAP(char *, strdup, const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

WRAP(char *, strndup, const char *text, size_t length)
{
	return fails() ? NULL : __real_strndup(text, length);
}

void starve_count(void)
{
	calls = fails_at = 0;
	failed = false;
}

void starve_begin(const uint8_t *data, size_t size)
{
	uint32_t hash = HASH_BEGIN;
	unsigned long counted = calls;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * HASH_PRIME;
	starve_count();
	lasting = hash & 1;
	fails_at = counted == 0 ? 0 : 1 + (hash >> 1) % counted;
}

bool starve_failed(void)
{
	return failed;
}

bool starve_end(void)
{
	fails_at = 0;
	return failed;
}
