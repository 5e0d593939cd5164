/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into the daemon by the fault rows: system calls that fail, move one byte, or take long.
 * What the daemon and the libraries above libc call is caught here; what libc calls by itself (name
 * look-ups, stdio) is not. The file that FAULT_CONTROL names holds 64-bit words:
 *
 *   call      which family: its place in FAMILY below
 *   fail_at   which call of the family from now on fails, 1 for the next; 0: none
 *   error     the errno that it fails with
 *   last      as fail_at, but the last that fails: so that a range does
 *   seen      calls of the family since fail_at was set
 *   failed    how many of them failed
 *   short_io  reads and writes move a single byte
 *   delay_ms  calls of the family take this much longer
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "preload_main.h"

/* In the order of preload.py's CALLS. */
enum family {
	READ,
	WRITE,
	OPENAT,
	FSYNC,
	FDATASYNC,
	RENAME,
	LINK,
	UNLINK,
	FTRUNCATE,
	CLOSE,
	ACCEPT,
	POLL,
	SOCKET,
	CONNECT,
	GETRANDOM,
	CLONE,
};

struct control {
	_Atomic int64_t call, fail_at, error, last, seen, failed, short_io, delay_ms;
};

static struct control *control(void)
{
	static struct control *_Atomic mapped;
	static struct control off;
	int (*really_open)(const char *, int, ...);
	struct control *found = mapped;
	const char *path = getenv("FAULT_CONTROL");
	void *map;
	int fd;

	if (found != NULL)
		return found;
	*(void **)&really_open = dlsym(RTLD_NEXT, "open");
	fd = path == NULL ? -1 : really_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return &off;
	/* The descriptor stays: close() is one of ours. */
	map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return &off;
	mapped = map;
	return map;
}

/* Is it this call's turn? Sets errno. */
static bool fails(enum family family)
{
	struct control *state = control();
	int64_t seen;

	if (!in_main || state->call != (int64_t)family)
		return false;
	if (state->delay_ms > 0) {
		struct timespec pause = { state->delay_ms / 1000,
			state->delay_ms % 1000 * 1000000 };

		nanosleep(&pause, NULL);
	}
	if (state->fail_at == 0)
		return false;
	seen = atomic_fetch_add(&state->seen, 1) + 1;
	if (seen < state->fail_at || seen > state->last)
		return false;
	atomic_fetch_add(&state->failed, 1);
	errno = (int)state->error;
	return true;
}

/* Eight bytes are an eventfd's, which takes no less. */
static size_t most(size_t length)
{
	return length > 1 && length != 8 && control()->short_io ? 1 : length;
}

/* The next definition of the function that is being replaced. */
#define NEXT(result, name, ...)             \
	static result (*next)(__VA_ARGS__); \
	if (next == NULL)                   \
	*(void **)&next = dlsym(RTLD_NEXT, #name)

ssize_t read(int fd, void *data, size_t length)
{
	NEXT(ssize_t, read, int, void *, size_t);
	return fails(READ) ? -1 : next(fd, data, most(length));
}

ssize_t pread(int fd, void *data, size_t length, off_t at)
{
	NEXT(ssize_t, pread, int, void *, size_t, off_t);
	return fails(READ) ? -1 : next(fd, data, most(length), at);
}

ssize_t recv(int fd, void *data, size_t length, int flags)
{
	NEXT(ssize_t, recv, int, void *, size_t, int);
	return fails(READ) ? -1 : next(fd, data, most(length), flags);
}

ssize_t recvfrom(int fd, void *restrict data, size_t length, int flags,
	struct sockaddr *restrict peer, socklen_t *restrict size)
{
	NEXT(ssize_t, recvfrom, int, void *, size_t, int, struct sockaddr *, socklen_t *);
	return fails(READ) ? -1 : next(fd, data, most(length), flags, peer, size);
}

/*
 * What wakes another thread: one byte for a pipe, as libmilter's workers do, or an eventfd's eight.
 * Linux does not refuse these; if it did, libmilter would look at its sessions again after 10 s, and
 * a thread of ours that is to end would not hear of it.
 */
static bool is_wake_up(int fd, size_t length)
{
	struct stat status;

	if (length != 1 && length != 8)
		return false;
	if (fstat(fd, &status) != 0)
		return false;
	/* An eventfd has no type of file (eventfd(2): an anonymous inode). */
	return length == 1 ? S_ISFIFO(status.st_mode) : (status.st_mode & S_IFMT) == 0;
}

ssize_t write(int fd, const void *data, size_t length)
{
	NEXT(ssize_t, write, int, const void *, size_t);
	return !is_wake_up(fd, length) && fails(WRITE) ? -1 : next(fd, data, most(length));
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
	NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
	return fails(WRITE) ? -1 : next(fd, data, most(length), at);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	NEXT(ssize_t, writev, int, const struct iovec *, int);
	if (fails(WRITE))
		return -1;
	for (int i = 0; i < count && control()->short_io; i++)
		if (pieces[i].iov_len > 0)
			return write(fd, pieces[i].iov_base, 1);
	return next(fd, pieces, count);
}

ssize_t send(int fd, const void *data, size_t length, int flags)
{
	NEXT(ssize_t, send, int, const void *, size_t, int);
	return fails(WRITE) ? -1 : next(fd, data, most(length), flags);
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *peer,
	socklen_t size)
{
	NEXT(ssize_t, sendto, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	return fails(WRITE) ? -1 : next(fd, data, most(length), flags, peer, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	NEXT(ssize_t, sendmsg, int, const struct msghdr *, int);
	return fails(WRITE) ? -1 : next(fd, message, flags);
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	NEXT(int, open, const char *, int, ...);
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fails(OPENAT) ? -1 : next(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
	NEXT(int, openat, int, const char *, int, ...);
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fails(OPENAT) ? -1 : next(folder, path, flags, mode);
}

int fsync(int fd)
{
	NEXT(int, fsync, int);
	return fails(FSYNC) ? -1 : next(fd);
}

int fdatasync(int fd)
{
	NEXT(int, fdatasync, int);
	return fails(FDATASYNC) ? -1 : next(fd);
}

int renameat(int from, const char *path, int to, const char *name)
{
	NEXT(int, renameat, int, const char *, int, const char *);
	return fails(RENAME) ? -1 : next(from, path, to, name);
}

int renameat2(int from, const char *path, int to, const char *name, unsigned int flags)
{
	NEXT(int, renameat2, int, const char *, int, const char *, unsigned int);
	return fails(RENAME) ? -1 : next(from, path, to, name, flags);
}

int linkat(int from, const char *path, int to, const char *name, int flags)
{
	NEXT(int, linkat, int, const char *, int, const char *, int);
	return fails(LINK) ? -1 : next(from, path, to, name, flags);
}

int unlink(const char *path)
{
	NEXT(int, unlink, const char *);
	return fails(UNLINK) ? -1 : next(path);
}

int unlinkat(int folder, const char *path, int flags)
{
	NEXT(int, unlinkat, int, const char *, int);
	return fails(UNLINK) ? -1 : next(folder, path, flags);
}

int ftruncate(int fd, off_t length)
{
	NEXT(int, ftruncate, int, off_t);
	return fails(FTRUNCATE) ? -1 : next(fd, length);
}

/* Linux has closed the descriptor whatever close() says (close(2)). */
int close(int fd)
{
	NEXT(int, close, int);
	int result = next(fd);

	return fails(CLOSE) ? -1 : result;
}

int accept(int fd, struct sockaddr *restrict peer, socklen_t *restrict size)
{
	NEXT(int, accept, int, struct sockaddr *, socklen_t *);
	return fails(ACCEPT) ? -1 : next(fd, peer, size);
}

int accept4(int fd, struct sockaddr *restrict peer, socklen_t *restrict size, int flags)
{
	NEXT(int, accept4, int, struct sockaddr *, socklen_t *, int);
	return fails(ACCEPT) ? -1 : next(fd, peer, size, flags);
}

int poll(struct pollfd *sockets, nfds_t count, int timeout)
{
	NEXT(int, poll, struct pollfd *, nfds_t, int);
	return fails(POLL) ? -1 : next(sockets, count, timeout);
}

/* What poll() becomes in programs that are built with _FORTIFY_SOURCE. */
int __poll_chk(struct pollfd *sockets, nfds_t count, int timeout, size_t size);
int __poll_chk(struct pollfd *sockets, nfds_t count, int timeout, size_t size)
{
	(void)size;
	return poll(sockets, count, timeout);
}

int socket(int domain, int type, int protocol)
{
	NEXT(int, socket, int, int, int);
	return fails(SOCKET) ? -1 : next(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	NEXT(int, connect, int, const struct sockaddr *, socklen_t);
	return fails(CONNECT) ? -1 : next(fd, address, size);
}

ssize_t getrandom(void *data, size_t length, unsigned int flags)
{
	NEXT(ssize_t, getrandom, void *, size_t, unsigned int);
	return fails(GETRANDOM) ? -1 : next(data, length, flags);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
	void *(*run)(void *), void *restrict argument)
{
	NEXT(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	return fails(CLONE) ? errno : next(thread, attributes, run, argument);
}
