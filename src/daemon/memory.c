/* SPDX-License-Identifier: BSD-2-Clause */
/* What the C library does with memory that is free. */
#include "daemon/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/runtime.h"

#ifdef __GLIBC__
#include <malloc.h>

/* Buffers from this size on have pages of their own, bytes: the C library's first choice. */
#define LARGE (128 * 1024)

void memory_start(void)
{
	/* Once set it stays; else it follows the largest buffer that was freed. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	/* Eight for each processor are usual; what is free in one is of no use to the others. */
	(void)mallopt(M_ARENA_MAX, (int)sysconf(_SC_NPROCESSORS_ONLN));
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
