/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that is in memory only: memfd_create(2). */
#include "memory_file.h"

#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *memory_file(const uint8_t *data, size_t size)
{
	static char path[64];
	static int file = -1;

	if (file < 0) {
		file = memfd_create("fuzz", MFD_CLOEXEC);
		/* Others may not write to a file that is read for the configuration. */
		assert(file >= 0 && fchmod(file, 0600) == 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	assert(ftruncate(file, 0) == 0);
	assert(pwrite(file, data, size, 0) == (ssize_t)size);
	return path;
}
