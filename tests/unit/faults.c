/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that fail when a test says so. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/err.h"

#define VARIANTS 6
/* Calls of a trial whose kinds are remembered. */
#define SEQUENCE_SIZE 4096

enum call {
	MEMORY,
	REALPATH,
	OPEN,
	OPENAT,
	OPENAT2,
	FSTAT,
	FSTATAT,
	FACCESSAT,
	MKDIRAT,
	FCHMOD,
	FCHOWN,
	FSYNC,
	CLOSE,
	READ,
	WRITE,
	RENAMEAT,
	RENAMEAT2,
	LINKAT,
	UNLINKAT,
	FSTATVFS,
	FDOPENDIR,
	READDIR,
	CLOSEDIR,
	FLOCK,
	GETRANDOM,
	THREAD,
	DIGEST,
	OTHERS, /* and from here on enum fault_call */
};

/* Zeros end a list. Errors that mean "again" never last. */
static const struct {
	const char *name;
	int errors[VARIANTS];
} calls[] = {
	[MEMORY] = { "memory", { ENOMEM } },
	[REALPATH] = { "realpath", { ENOMEM, ENOENT } },
	[OPEN] = { "open", { EMFILE, EACCES, EINVAL, EISDIR, EOPNOTSUPP } },
	[OPENAT] = { "openat", { EMFILE, ENOENT, ELOOP, EIO, ENOTDIR } },
	[OPENAT2] = { "openat2", { EMFILE, ENOENT, ENOSYS, EAGAIN, ENXIO } },
	[FSTAT] = { "fstat", { EIO, FAULT_STRANGER, FAULT_WRITABLE } },
	[FSTATAT] = { "fstatat", { EIO, ENOENT } },
	[FACCESSAT] = { "faccessat", { EIO, ENOENT } },
	[MKDIRAT] = { "mkdirat", { ENOSPC, EROFS } },
	[FCHMOD] = { "fchmod", { EPERM, EIO } },
	[FCHOWN] = { "fchown", { EPERM } },
	[FSYNC] = { "fsync", { EIO, ENOSPC } },
	[CLOSE] = { "close", { EIO, ENOSPC } },
	[READ] = { "read", { EIO, FAULT_SHORT, EINTR, FAULT_ENDS } },
	[WRITE] = { "write", { ENOSPC, FAULT_SHORT, EINTR, EDQUOT } },
	[RENAMEAT] = { "renameat", { EIO, ENOSPC } },
	[RENAMEAT2] = { "renameat2", { EIO, EINVAL, ENOSYS, EEXIST } },
	[LINKAT] = { "linkat", { EIO, EEXIST } },
	[UNLINKAT] = { "unlinkat", { EIO, ENOENT, EROFS } },
	[FSTATVFS] = { "fstatvfs", { EIO, FAULT_READ_ONLY } },
	[FDOPENDIR] = { "fdopendir", { ENOMEM } },
	[READDIR] = { "readdir", { EIO, ENOENT } },
	[CLOSEDIR] = { "closedir", { EIO } },
	[FLOCK] = { "flock", { ENOLCK, EWOULDBLOCK } },
	[GETRANDOM] = { "getrandom", { ENOSYS, FAULT_SHORT, EINTR } },
	[THREAD] = { "pthread_create", { EAGAIN } },
	[DIGEST] = { "digest", { ENOMEM } },
	[OTHERS + FAULT_SOCKET] = { "socket", { EMFILE } },
	[OTHERS + FAULT_CONNECT] = { "connect", { ECONNREFUSED, EAGAIN, EINTR } },
	[OTHERS + FAULT_SENDMSG] = { "sendmsg", { EPIPE, FAULT_SHORT, EINTR, EAGAIN, ENOBUFS } },
	[OTHERS + FAULT_RECV] = { "recv", { ECONNRESET, FAULT_SHORT, EINTR, EAGAIN, FAULT_ENDS } },
	[OTHERS + FAULT_POLL] = { "poll", { EINTR, FAULT_ENDS } },
	[OTHERS + FAULT_GETSOCKOPT] = { "getsockopt", { ENOBUFS } },
	[OTHERS + FAULT_EVENTFD] = { "eventfd", { EMFILE } },
	[OTHERS + FAULT_CURL] = { "libcurl", { ENOMEM } },
	[OTHERS + FAULT_MILTER] = { "libmilter", { ENOMEM } },
	[OTHERS + FAULT_PROCESS] = { "a call of the process", { EPERM, ENOENT } },
};

static struct {
	pthread_mutex_t lock; /* everything here */
	bool active;
	unsigned char sequence[SEQUENCE_SIZE]; /* which calls there were, the first at 1 */
	struct fault fault;
	struct fault_report report;
	long blocks;
	uid_t user;     /* what geteuid() says; -1: the truth */
	uid_t stranger; /* whom FAULT_STRANGER has made up */
	long ahead_s;   /* the monotonic clock */
	void (*at_fsync)(void *context);
	void *at_fsync_context;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .user = (uid_t)-1, .stranger = (uid_t)-1 };

/* Is it this call's turn, and with which error? 0: it works. Sets errno. */
static int fails(unsigned call)
{
	int error = 0;

	pthread_mutex_lock(&state.lock);
	if (state.active && (call == MEMORY || !state.fault.memory_only)) {
		long number = ++state.report.calls;
		bool lasts = state.fault.lasting && number > state.fault.at;

		if (state.fault.at == 0 && number < SEQUENCE_SIZE)
			state.sequence[number] = (unsigned char)call;
		if (state.fault.at > 0 && (number == state.fault.at || lasts))
			error = calls[call].errors[state.fault.variant];
		if (lasts && (error == EINTR || error == FAULT_SHORT))
			error = 0;
		if (error != 0 && state.report.failed++ == 0) {
			state.report.call = calls[call].name;
			state.report.error = error;
		}
	}
	pthread_mutex_unlock(&state.lock);
	if (error > 0)
		errno = error;
	return error;
}

int fault_fails(enum fault_call call)
{
	return fails(OTHERS + (unsigned)call);
}

static bool is_old_kernel(void)
{
	return state.active && state.fault.old_kernel;
}

void fault_set(const struct fault *fault)
{
	static const struct fault none;

	pthread_mutex_lock(&state.lock);
	state.fault = fault == NULL ? none : *fault;
	state.active = fault != NULL;
	state.report = (struct fault_report){ 0, 0, "none", 0 };
	pthread_mutex_unlock(&state.lock);
}

struct fault_report fault_clear(void)
{
	struct fault_report report;

	pthread_mutex_lock(&state.lock);
	state.active = false;
	report = state.report;
	pthread_mutex_unlock(&state.lock);
	return report;
}

long fault_blocks(void)
{
	long blocks;

	pthread_mutex_lock(&state.lock);
	blocks = state.blocks;
	pthread_mutex_unlock(&state.lock);
	return blocks;
}

void fault_user(uid_t user)
{
	state.user = user;
}

void fault_clock(long seconds)
{
	state.ahead_s = seconds;
}

void fault_at_fsync(void (*act)(void *context), void *context)
{
	state.at_fsync = act;
	state.at_fsync_context = context;
}

static void *count(void *block, long change)
{
	pthread_mutex_lock(&state.lock);
	state.blocks += block == NULL ? 0 : change;
	pthread_mutex_unlock(&state.lock);
	return block;
}

/*
 * The linker calls __wrap_NAME for NAME, and NAME for __real_NAME. WRAP declares both and begins
 * the definition of the first.
 */
#define WRAP(result, name, ...)            \
	result __real_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__)

WRAP(void *, malloc, size_t size)
{
	return fails(MEMORY) ? NULL : count(__real_malloc(size), 1);
}

WRAP(void *, calloc, size_t number, size_t size)
{
	return fails(MEMORY) ? NULL : count(__real_calloc(number, size), 1);
}

WRAP(void *, realloc, void *block, size_t size)
{
	if (fails(MEMORY))
		return NULL;
	return count(__real_realloc(block, size), block == NULL);
}

WRAP(char *, strdup, const char *text)
{
	return fails(MEMORY) ? NULL : count(__real_strdup(text), 1);
}

WRAP(char *, strndup, const char *text, size_t length)
{
	return fails(MEMORY) ? NULL : count(__real_strndup(text, length), 1);
}

WRAP(void, free, void *block)
{
	count(block, -1);
	__real_free(block);
}

WRAP(char *, realpath, const char *path, char *resolved)
{
	return fails(REALPATH) ? NULL : count(__real_realpath(path, resolved), resolved == NULL);
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

WRAP(int, open, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fails(OPEN) ? -1 : __real_open(path, flags, mode);
}

WRAP(int, openat, int folder, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fails(OPENAT) ? -1 : __real_openat(folder, path, flags, mode);
}

/* Only openat2() is called by its number, and has four arguments. */
WRAP(long, syscall, long number, ...)
{
	va_list arguments;
	long words[4];

	va_start(arguments, number);
	for (int i = 0; i < 4; i++)
		words[i] = va_arg(arguments, long);
	va_end(arguments);
	if (is_old_kernel()) {
		errno = ENOSYS;
		return -1;
	}
	return fails(OPENAT2) ? -1 : __real_syscall(number, words[0], words[1], words[2], words[3]);
}

WRAP(int, fstat, int fd, struct stat *status)
{
	int error = fails(FSTAT);

	if (error > 0 || __real_fstat(fd, status) != 0)
		return -1;
	if (error == FAULT_STRANGER)
		state.stranger = ++status->st_uid;
	if (error == FAULT_WRITABLE)
		status->st_mode = (status->st_mode | 0022) & ~(mode_t)S_ISVTX;
	return 0;
}

WRAP(int, fstatat, int folder, const char *path, struct stat *status, int flags)
{
	return fails(FSTATAT) ? -1 : __real_fstatat(folder, path, status, flags);
}

WRAP(int, faccessat, int folder, const char *path, int mode, int flags)
{
	return fails(FACCESSAT) ? -1 : __real_faccessat(folder, path, mode, flags);
}

WRAP(int, mkdirat, int folder, const char *path, mode_t mode)
{
	return fails(MKDIRAT) ? -1 : __real_mkdirat(folder, path, mode);
}

WRAP(int, fchmod, int fd, mode_t mode)
{
	return fails(FCHMOD) ? -1 : __real_fchmod(fd, mode);
}

WRAP(int, fchown, int fd, uid_t owner, gid_t group)
{
	if (fails(FCHOWN))
		return -1;
	return owner == state.stranger ? 0 : __real_fchown(fd, owner, group);
}

/* Nobody pulls the plug: what an O_PATH descriptor says of it is all that is wanted. */
WRAP(int, fsync, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (state.at_fsync != NULL)
		state.at_fsync(state.at_fsync_context);
	if (fails(FSYNC))
		return -1;
	if (flags >= 0 && (flags & O_PATH) == 0)
		return 0;
	errno = EBADF;
	return -1;
}

/* Linux has closed the descriptor whatever close() says (close(2)). */
WRAP(int, close, int fd)
{
	int result = __real_close(fd);

	return fails(CLOSE) ? -1 : result;
}

/* How much of `length` is moved when the call fails so; -1: nothing. */
static ssize_t moved(int error, size_t length)
{
	if (error == 0)
		return (ssize_t)length;
	if (error > 0)
		return -1;
	return error == FAULT_SHORT && length > 1 ? 1 : 0;
}

/* FAULT_ENDS is the only reason for reading nothing, and a piece of one byte is not short. */
static bool is_whole(int error, size_t length)
{
	return error == 0 || (error == FAULT_SHORT && length <= 1);
}

WRAP(ssize_t, read, int fd, void *bytes, size_t length)
{
	int error = fails(READ);
	ssize_t most = is_whole(error, length) ? (ssize_t)length : moved(error, length);

	return most <= 0 ? most : __real_read(fd, bytes, (size_t)most);
}

WRAP(ssize_t, pread, int fd, void *bytes, size_t length, off_t at)
{
	int error = fails(READ);
	ssize_t most = is_whole(error, length) ? (ssize_t)length : moved(error, length);

	return most <= 0 ? most : __real_pread(fd, bytes, (size_t)most, at);
}

WRAP(ssize_t, write, int fd, const void *bytes, size_t length)
{
	int error = fails(WRITE);
	ssize_t most = is_whole(error, length) ? (ssize_t)length : moved(error, length);

	return most < 0 ? -1 : __real_write(fd, bytes, (size_t)most);
}

/* Where not all is to be moved, a part of the first piece is. */
WRAP(ssize_t, writev, int fd, const struct iovec *pieces, int count)
{
	int error = fails(WRITE);
	ssize_t most = moved(error, pieces[0].iov_len);

	if (is_whole(error, pieces[0].iov_len))
		return __real_writev(fd, pieces, count);
	return most < 0 ? -1 : __real_write(fd, pieces[0].iov_base, (size_t)most);
}

WRAP(ssize_t, pwrite, int fd, const void *bytes, size_t length, off_t at)
{
	int error = fails(WRITE);
	ssize_t most = is_whole(error, length) ? (ssize_t)length : moved(error, length);

	return most < 0 ? -1 : __real_pwrite(fd, bytes, (size_t)most, at);
}

WRAP(int, renameat, int from, const char *path, int to, const char *name)
{
	return fails(RENAMEAT) ? -1 : __real_renameat(from, path, to, name);
}

WRAP(int, renameat2, int from, const char *path, int to, const char *name, unsigned flags)
{
	if (is_old_kernel()) {
		errno = EINVAL;
		return -1;
	}
	return fails(RENAMEAT2) ? -1 : __real_renameat2(from, path, to, name, flags);
}

WRAP(int, linkat, int from, const char *path, int to, const char *name, int flags)
{
	return fails(LINKAT) ? -1 : __real_linkat(from, path, to, name, flags);
}

WRAP(int, unlinkat, int folder, const char *path, int flags)
{
	return fails(UNLINKAT) ? -1 : __real_unlinkat(folder, path, flags);
}

WRAP(int, fstatvfs, int fd, struct statvfs *status)
{
	int error = fails(FSTATVFS);

	if (error > 0 || __real_fstatvfs(fd, status) != 0)
		return -1;
	if (error == FAULT_READ_ONLY)
		status->f_flag |= ST_RDONLY;
	return 0;
}

WRAP(DIR *, fdopendir, int fd)
{
	return fails(FDOPENDIR) ? NULL : __real_fdopendir(fd);
}

WRAP(struct dirent *, readdir, DIR *names)
{
	return fails(READDIR) ? NULL : __real_readdir(names);
}

WRAP(int, closedir, DIR *names)
{
	int result = __real_closedir(names);

	return fails(CLOSEDIR) ? -1 : result;
}

WRAP(int, flock, int fd, int operation)
{
	return fails(FLOCK) ? -1 : __real_flock(fd, operation);
}

WRAP(ssize_t, getrandom, void *bytes, size_t length, unsigned flags)
{
	ssize_t most = moved(fails(GETRANDOM), length);

	return most <= 0 ? most : __real_getrandom(bytes, (size_t)most, flags);
}

WRAP(uid_t, geteuid, void)
{
	return state.user == (uid_t)-1 ? __real_geteuid() : state.user;
}

WRAP(int, clock_gettime, clockid_t clock, struct timespec *now)
{
	int result = __real_clock_gettime(clock, now);

	if (clock == CLOCK_MONOTONIC)
		now->tv_sec += state.ahead_s;
	return result;
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes,
	void *(*routine)(void *), void *argument)
{
	return fails(THREAD) ? errno : __real_pthread_create(thread, attributes, routine, argument);
}

WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, void)
{
	return fails(DIGEST) ? NULL : __real_EVP_MD_CTX_new();
}

WRAP(int, EVP_DigestInit_ex, EVP_MD_CTX *context, const EVP_MD *type, ENGINE *engine)
{
	return fails(DIGEST) ? 0 : __real_EVP_DigestInit_ex(context, type, engine);
}

WRAP(int, EVP_DigestUpdate, EVP_MD_CTX *context, const void *bytes, size_t length)
{
	return fails(DIGEST) ? 0 : __real_EVP_DigestUpdate(context, bytes, length);
}

WRAP(int, EVP_DigestFinal_ex, EVP_MD_CTX *context, unsigned char *bytes, unsigned *length)
{
	return fails(DIGEST) ? 0 : __real_EVP_DigestFinal_ex(context, bytes, length);
}

WRAP(unsigned char *, HMAC, const EVP_MD *type, const void *key, int key_length,
	const unsigned char *bytes, size_t length, unsigned char *mac, unsigned *ret_length)
{
	return fails(DIGEST) ? NULL :
			       __real_HMAC(type, key, key_length, bytes, length, mac, ret_length);
}

static char name[200];

const char *fault_name(void)
{
	return name;
}

static void describe(const struct fault *fault, const struct fault_report *report)
{
	static const char *const words[] = { [-FAULT_SHORT] = "one byte",
		[-FAULT_STRANGER] = "a stranger's",
		[-FAULT_WRITABLE] = "open to all",
		[-FAULT_ENDS] = "the end",
		[-FAULT_READ_ONLY] = "read-only" };
	char text[64];

	snprintf(name, sizeof(name), "call %ld of %ld%s, %s: %s%s", fault->at, report->calls,
		fault->old_kernel ? " (old kernel)" : "", report->call,
		report->error < 0 ? words[-report->error] :
				    err_words(report->error, text, sizeof(text)),
		fault->lasting ? ", lasting" : "");
}

static long open_descriptors(void)
{
	DIR *names = opendir("/proc/self/fd");
	long found = 0;

	while (names != NULL && readdir(names) != NULL)
		found++;
	if (names != NULL)
		closedir(names);
	return found;
}

/* Threads of the trial may still be freeing what was theirs. */
static void await_blocks(long before)
{
	struct deadline patience = deadline_after_ms(10000);

	while (fault_blocks() != before && !deadline_passed(patience))
		usleep(100);
	if (fault_blocks() != before)
		fail_msg("%s: %ld blocks of memory are left", name, fault_blocks() - before);
}

static struct fault_report try(const struct fault_trial *trial, const struct fault *fault)
{
	long blocks, descriptors = open_descriptors();
	struct fault_report report;
	bool good;

	blocks = fault_blocks();
	if (trial->prepare != NULL)
		trial->prepare(trial->context);
	fault_set(fault);
	good = trial->run(trial->context);
	report = fault_clear();
	describe(fault, &report);
	if (report.failed == 0 && !good)
		fail_msg("%s: it failed although nothing did", name);
	trial->check(trial->context, good, &report);
	if (trial->clean != NULL)
		trial->clean(trial->context);
	await_blocks(blocks);
	if (open_descriptors() != descriptors)
		fail_msg("%s: descriptors are left", name);
	return report;
}

/* Up to the fault all runs are alike: has the call that is to fail such an error? */
static bool is_possible(const struct fault *fault)
{
	return fault->at >= SEQUENCE_SIZE ||
		calls[state.sequence[fault->at]].errors[fault->variant] != 0;
}

long fault_sweep(const struct fault_trial *trial)
{
	struct fault fault = { 0, 0, false, trial->memory_only, trial->old_kernel };
	const long all = try(trial, &fault).calls;
	long faulty = 0;

	/* Lasting: the first error of each, no memory, no descriptors, a broken disk. */
	for (unsigned i = 0; i <= VARIANTS; i++) {
		fault.lasting = i == VARIANTS;
		fault.variant = fault.lasting ? 0 : i;
		for (fault.at = 1; fault.at <= all; fault.at++)
			if (is_possible(&fault))
				faulty += try(trial, &fault).failed > 0;
	}
	return faulty;
}
