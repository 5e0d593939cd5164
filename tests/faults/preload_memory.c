/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into the daemon by the fault rows: an allocator that fails when it is told to, and that
 * counts blocks. The file that FAULT_CONTROL names holds 64-bit words:
 *
 *   fail_at     which allocation from now on fails, 1 for the next; 0: none
 *   persistent  all later ones fail as well
 *   seen        allocations since fail_at was set
 *   failed      how many of them failed
 *   live        blocks that were allocated and not freed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
	_Atomic int64_t fail_at;
	_Atomic int64_t persistent;
	_Atomic int64_t seen;
	_Atomic int64_t failed;
	_Atomic int64_t live;
};

/* glibc's own, behind the names that are replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

/* NULL until the environment can be read; nothing here may allocate. */
static struct control *control(void)
{
	static struct control *_Atomic mapped;
	struct control *found = mapped;
	const char *path;
	void *map;
	int fd;

	if (found != NULL)
		return found;
	path = getenv("FAULT_CONTROL");
	fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return NULL;
	mapped = map;
	return map;
}

static bool fails(void)
{
	struct control *state = control();
	int64_t fail_at, seen;

	if (state == NULL)
		return false;
	fail_at = state->fail_at;
	seen = atomic_fetch_add(&state->seen, 1) + 1;
	if (fail_at == 0 || (state->persistent ? seen < fail_at : seen != fail_at))
		return false;
	atomic_fetch_add(&state->failed, 1);
	errno = ENOMEM;
	return true;
}

static void *count(void *block, int change)
{
	struct control *state = control();

	if (block != NULL && state != NULL)
		atomic_fetch_add(&state->live, change);
	return block;
}

void *malloc(size_t size)
{
	return fails() ? NULL : count(__libc_malloc(size), 1);
}

void *calloc(size_t number, size_t size)
{
	return fails() ? NULL : count(__libc_calloc(number, size), 1);
}

void *realloc(void *block, size_t size)
{
	void *result;

	if (size > 0 && fails())
		return NULL;
	result = __libc_realloc(block, size);
	if (block == NULL)
		count(result, 1);
	else if (size == 0)
		count(block, -1);
	return result;
}

void *memalign(size_t alignment, size_t size)
{
	return fails() ? NULL : count(__libc_memalign(alignment, size), 1);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
	void *block = memalign(alignment, size);

	if (block == NULL)
		return ENOMEM;
	*ret_block = block;
	return 0;
}

void free(void *block)
{
	int saved = errno;

	count(block, -1);
	__libc_free(block);
	errno = saved;
}
