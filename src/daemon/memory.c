/* SPDX-License-Identifier: BSD-2-Clause */
/* What the C library does with memory that is free. */
#include "daemon/memory.h"

#include <stdint.h>
#include <stdlib.h>

#include "daemon/runtime.h"

#ifdef __GLIBC__
#include <malloc.h>

/* Buffers from this size on have pages of their own, bytes: the C library's first choice. */
#define LARGE (128 * 1024)

/* What may be free at the end of each heap before it is given back without a rest, bytes. */
#define SLACK (8 * 1024 * 1024)

void memory_start(void)
{
	/* Once set it stays; else it follows the largest buffer that was freed. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	/* The next message takes the pages of the last; what a rest leaves is seen to below. */
	(void)mallopt(M_TRIM_THRESHOLD, SLACK);
	/*
	 * Eight for each processor are usual. What is free in one is of no use to the others, and
	 * malloc_trim() leaves the end of all but the first as it is. A message asks some ten times
	 * for what a thread has not in store, which is too little to wait for each other.
	 */
	(void)mallopt(M_ARENA_MAX, 1);
}

static void give_back(void)
{
	(void)malloc_trim(0);
}
#else
void memory_start(void)
{
}

static void give_back(void)
{
}
#endif

void memory_tidy(void)
{
	static uint64_t seen, tidied;
	struct runtime_view view;

	runtime_look(&view);
	if (view.begun == seen && view.begun != tidied) {
		give_back();
		tidied = view.begun;
	}
	seen = view.begun;
}
