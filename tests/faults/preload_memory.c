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
 *   spare       what libcrypto asks for (thousands while it starts) does not count, nor fail, nor
 *               does what libConfuse asks for, which looks at no result, and glibc's name
 *               service, which asserts that it has memory
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload_main.h"

struct control {
	_Atomic int64_t fail_at;
	_Atomic int64_t persistent;
	_Atomic int64_t seen;
	_Atomic int64_t failed;
	_Atomic int64_t live;
	_Atomic int64_t spare;
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

/* Whose allocations can be spared, and where they are mapped; nowhere if they are not. */
static struct spared {
	const char *name;
	uintptr_t from, to;
} spared[] = { { .name = "/libcrypto" }, { .name = "/libconfuse" } };

#define SPARED (sizeof(spared) / sizeof(spared[0]))

static void note_mapping(struct spared *library, const struct dl_phdr_info *object)
{
	for (int i = 0; i < object->dlpi_phnum; i++) {
		uintptr_t from = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
		uintptr_t to = from + object->dlpi_phdr[i].p_memsz;

		if (object->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		if (library->to == 0 || from < library->from)
			library->from = from;
		if (to > library->to)
			library->to = to;
	}
}

static int note_object(struct dl_phdr_info *object, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (size_t i = 0; i < SPARED; i++)
		if (strstr(object->dlpi_name, spared[i].name) != NULL)
			note_mapping(&spared[i], object);
	return 0;
}

/* In a function of glibc's name service. */
static _Thread_local bool in_names;

static bool is_spared(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	if (in_names)
		return true;
	for (size_t i = 0; i < SPARED; i++)
		if (at >= spared[i].from && at < spared[i].to)
			return true;
	return false;
}

__attribute__((constructor)) static void look_around(void)
{
	dl_iterate_phdr(note_object, NULL);
}

static bool fails(const void *caller)
{
	struct control *state = control();
	int64_t fail_at, seen;

	if (state == NULL || !in_main)
		return false;
	if (state->spare && is_spared(caller))
		return false;
	fail_at = state->fail_at;
	seen = atomic_fetch_add(&state->seen, 1) + 1;
	if (fail_at == 0 || (state->persistent ? seen < fail_at : seen != fail_at))
		return false;
	atomic_fetch_add(&state->failed, 1);
	errno = ENOMEM;
	return true;
}

#define CALLER __builtin_return_address(0)

static void *count(void *block, int change)
{
	struct control *state = control();

	if (block != NULL && state != NULL)
		atomic_fetch_add(&state->live, change);
	return block;
}

void *malloc(size_t size)
{
	return fails(CALLER) ? NULL : count(__libc_malloc(size), 1);
}

/* With the caller of its own, which is who is short of memory. */
char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = fails(CALLER) ? NULL : count(__libc_malloc(size), 1);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

void *calloc(size_t number, size_t size)
{
	return fails(CALLER) ? NULL : count(__libc_calloc(number, size), 1);
}

void *realloc(void *block, size_t size)
{
	void *result;

	if (size > 0 && fails(CALLER))
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
	return fails(CALLER) ? NULL : count(__libc_memalign(alignment, size), 1);
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

/* The next definition of a function of the name service, and what it says. */
#define NAMES(type, name, ...)                     \
	type (*next)(__VA_ARGS__);                 \
	*(void **)&next = dlsym(RTLD_NEXT, #name); \
	in_names = true;                           \
	type result = next

struct group *getgrnam(const char *name)
{
	NAMES(struct group *, getgrnam, const char *)(name);
	in_names = false;
	return result;
}

struct passwd *getpwnam(const char *name)
{
	NAMES(struct passwd *, getpwnam, const char *)(name);
	in_names = false;
	return result;
}

int getpwnam_r(const char *restrict name, struct passwd *restrict entry, char *restrict room,
	size_t size, struct passwd **restrict ret_found)
{
	NAMES(int, getpwnam_r, const char *, struct passwd *, char *, size_t, struct passwd **)
	(name, entry, room, size, ret_found);
	in_names = false;
	return result;
}

int getpwuid_r(uid_t user, struct passwd *restrict entry, char *restrict room, size_t size,
	struct passwd **restrict ret_found)
{
	NAMES(int, getpwuid_r, uid_t, struct passwd *, char *, size_t, struct passwd **)
	(user, entry, room, size, ret_found);
	in_names = false;
	return result;
}

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
	NAMES(int, getgrouplist, const char *, gid_t, gid_t *, int *)(user, group, groups, count);
	in_names = false;
	return result;
}

int initgroups(const char *user, gid_t group)
{
	NAMES(int, initgroups, const char *, gid_t)(user, group);
	in_names = false;
	return result;
}
