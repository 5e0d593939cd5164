/* SPDX-License-Identifier: BSD-2-Clause */
/* The quarantine's directory, opened with suspicion. */
#include "quarantine/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

#define OPEN_FILE   (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Group members review: they read, and change nothing. */
#define FOLDER_MODE 0750

static const struct {
	const char *name;
	mode_t mode;
} folders[FOLDER_COUNT] = {
	[FOLDER_TMP] = { "tmp", FOLDER_MODE },
	[FOLDER_NEW] = { "new", FOLDER_MODE },
	[FOLDER_CUR] = { "cur", FOLDER_MODE },
	[FOLDER_REVIEW] = { "review", FOLDER_MODE },
	[FOLDER_MARKS] = { "marks", 0700 },
	[FOLDER_DIGEST] = { "digest", FOLDER_MODE },
	[FOLDER_DOMAINS] = { "domains", FOLDER_MODE },
};

void directory_close(struct directory *directory)
{
	descriptor_close(&directory->base);
	for (int i = 0; i < FOLDER_COUNT; i++)
		descriptor_close(&directory->folders[i]);
}

/* One directory above the quarantine: may others exchange what lies in it? */
static int check_parent(int fd, const char *path, struct err *err)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return err_set_errno(err, errno, "cannot examine a parent of %s", path);
	if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0)
		return err_set(err,
			"others may write a parent directory of %s (mode %04o): "
			"chmod go-w, or choose another place",
			path, (unsigned)status.st_mode & 07777);
	return 0;
}

/*
 * Walk down a path without links in it, looking at each directory. Writes NULs into `real`. Returns
 * a descriptor or -1.
 */
static int walk(char *real, const char *path, struct err *err)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && check_parent(fd, path, err) == 0) {
		const char *name = real + strspn(real, "/");
		int next;

		if (*name == '\0')
			return fd;
		real += strcspn(name, "/") + (size_t)(name - real);
		if (*real != '\0')
			*real++ = '\0';
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			err_set_errno(err, errno, "cannot open a parent of %s", path);
		close(fd);
		fd = next;
	}
	if (fd >= 0)
		close(fd);
	return err_set(err, "cannot open the parents of %s", path);
}

/* The parent's descriptor, and the last component of `path` in *ret_name (freed by the caller). */
static int open_parent(const char *path, char **ret_name, struct err *err)
{
	AUTO(string_free) char *parent = strdup(path);
	AUTO(string_free) char *real = NULL;
	size_t length = strlen(path);
	char *slash;

	if (path[0] != '/')
		return err_set(err, "the quarantine directory %s is no absolute path", path);
	if (parent == NULL)
		return err_set(err, "out of memory");
	while (length > 1 && parent[length - 1] == '/')
		parent[--length] = '\0';
	slash = strrchr(parent, '/');
	*ret_name = strdup(slash + 1);
	if (*ret_name == NULL)
		return err_set(err, "out of memory");
	if (**ret_name == '\0' || strcmp(*ret_name, ".") == 0 || strcmp(*ret_name, "..") == 0)
		return err_set(err, "%s cannot be a quarantine directory", path);
	slash[slash == parent ? 1 : 0] = '\0';
	real = realpath(parent, NULL);
	if (real == NULL)
		return err_set_errno(err, errno, "cannot find the parent directory of %s", path);
	return walk(real, path, err);
}

/* Make a folder of ours when it is missing. */
static int make_folder(int at, const char *name, mode_t mode, const struct directory *directory)
{
	AUTO(descriptor_close) int fd = -1;

	if (mkdirat(at, name, mode) != 0)
		return errno == EEXIST ? 0 : -1;
	fd = openat(at, name, OPEN_FOLDER);
	if (fd < 0 || fchmod(fd, mode) != 0)
		return -1;
	/* The first of them has no directory around it yet: it belongs to whoever makes it. */
	if (directory != NULL && geteuid() == 0 &&
		fchown(fd, directory->owner, directory->group) != 0)
		return -1;
	return fsync(at);
}

static int check_folder(const struct stat *status, const struct directory *directory,
	const char *path, const char *name, struct err *err)
{
	if (status->st_uid != directory->owner)
		return err_set(
			err, "%s/%s belongs to another user than %s: chown it", path, name, path);
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, "others may write %s/%s (mode %04o): chmod 0750", path, name,
			(unsigned)status->st_mode & 07777);
	return 0;
}

static int open_folder(struct directory *directory, enum folder folder, enum directory_use use,
	const char *path, struct err *err)
{
	const char *name = folders[folder].name;
	struct stat status;
	int fd;

	if (use == DIRECTORY_CREATE &&
		make_folder(directory->base, name, folders[folder].mode, directory) != 0)
		return err_set_errno(err, errno, "cannot make %s/%s", path, name);
	fd = openat(directory->base, name, OPEN_FOLDER);
	if (fd < 0 && use == DIRECTORY_READ && folder > FOLDER_CUR)
		return 0; /* a reviewer does not need it */
	if (fd < 0 && errno == ENOENT)
		return err_set(err,
			"%s has no %s: is it mounted, was it replaced? A restart makes it again",
			path, name);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot open %s/%s", path, name);
	directory->folders[folder] = fd;
	if (fstat(fd, &status) != 0)
		return err_set_errno(err, errno, "cannot examine %s/%s", path, name);
	return check_folder(&status, directory, path, name, err);
}

static int check_base(
	struct directory *directory, enum directory_use use, const char *path, struct err *err)
{
	struct stat status;

	if (fstat(directory->base, &status) != 0)
		return err_set_errno(err, errno, "cannot examine %s", path);
	if (use != DIRECTORY_READ && geteuid() != 0 && status.st_uid != geteuid())
		return err_set(err,
			"%s belongs to another user: run this as its owner, or chown it", path);
	if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		return err_set(err, "others may read or write %s (mode %04o): chmod 0750", path,
			(unsigned)status.st_mode & 07777);
	directory->owner = status.st_uid;
	directory->group = status.st_gid;
	return 0;
}

static int open_base(
	const char *path, enum directory_use use, struct directory *directory, struct err *err)
{
	AUTO(string_free) char *name = NULL;
	AUTO(descriptor_close) int parent = open_parent(path, &name, err);

	if (parent < 0)
		return -1;
	if (use == DIRECTORY_CREATE && make_folder(parent, name, FOLDER_MODE, NULL) != 0 &&
		errno != EBADF) /* fsync of an O_PATH descriptor */
		return err_set_errno(err, errno, "cannot make %s", path);
	directory->base = openat(parent, name, OPEN_FOLDER);
	if (directory->base < 0 && (errno == ELOOP || errno == ENOTDIR))
		return err_set(err,
			"%s is a symbolic link or no directory: name the directory itself", path);
	if (directory->base < 0)
		return err_set_errno(err, errno, "cannot open the quarantine directory %s", path);
	return check_base(directory, use, path, err);
}

int directory_open(const char *path, enum directory_use use, struct directory *ret, struct err *err)
{
	struct directory directory = DIRECTORY_INIT;
	int result = open_base(path, use, &directory, err);

	for (int i = 0; result == 0 && i < FOLDER_COUNT; i++)
		result = open_folder(&directory, (enum folder)i, use, path, err);
	if (result != 0)
		directory_close(&directory);
	*ret = directory;
	return result;
}

bool directory_is_domain(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < DIRECTORY_DOMAIN_SIZE && name[0] != '.' && name[0] != '-' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == length;
}

static int open_domain(
	const struct directory *whole, const char *domain, enum directory_use use, struct err *err)
{
	int at = whole->folders[FOLDER_DOMAINS];
	struct stat status;
	int fd;

	if (use == DIRECTORY_CREATE && make_folder(at, domain, FOLDER_MODE, whole) != 0)
		return err_set_errno(err, errno, "cannot make the folder of %s", domain);
	fd = openat(at, domain, OPEN_FOLDER);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot open the folder of %s", domain);
	if (fstat(fd, &status) == 0 && check_folder(&status, whole, "domains", domain, err) == 0)
		return fd;
	close(fd);
	return err_set(err, "cannot examine the folder of %s", domain);
}

/* Is this Maildir, with its three folders, there at all? */
static bool is_there(const struct directory *whole, const char *domain)
{
	char path[DIRECTORY_DOMAIN_SIZE + 8];

	for (int i = FOLDER_TMP; i <= FOLDER_CUR; i++) {
		snprintf(path, sizeof(path), "%s/%s", domain, folders[i].name);
		if (faccessat(whole->folders[FOLDER_DOMAINS], path, F_OK, 0) != 0 &&
			(errno == ENOENT || errno == EBADF))
			return false;
	}
	return true;
}

int directory_enter(const struct directory *whole, const char *domain, enum directory_use use,
	struct directory *ret, struct err *err)
{
	struct directory view = *whole;
	int result = 0;

	*ret = view;
	if (domain[0] == '\0')
		return 0;
	if (use != DIRECTORY_CREATE && !is_there(whole, domain))
		return 1;
	view.inner = true;
	for (int i = FOLDER_TMP; i <= FOLDER_CUR; i++)
		view.folders[i] = -1;
	view.base = open_domain(whole, domain, use, err);
	for (int i = FOLDER_TMP; i <= FOLDER_CUR && view.base >= 0 && result == 0; i++)
		result = open_folder(&view, (enum folder)i, use, domain, err);
	*ret = view;
	if (view.base >= 0 && result == 0)
		return 0;
	directory_leave(ret);
	return -1;
}

void directory_leave(struct directory *directory)
{
	if (!directory->inner)
		return;
	descriptor_close(&directory->base);
	for (int i = FOLDER_TMP; i <= FOLDER_CUR; i++)
		descriptor_close(&directory->folders[i]);
}

DIR *directory_names(const struct directory *directory, enum folder folder)
{
	int fd = directory->folders[folder] < 0 ?
		-1 :
		openat(directory->folders[folder], ".", OPEN_FOLDER);
	DIR *names;

	if (fd < 0)
		return NULL;
	names = fdopendir(fd);
	if (names == NULL)
		close(fd);
	return names;
}

int directory_domains(const struct directory *directory, struct strlist *ret, struct err *err)
{
	DIR *names;
	struct dirent *entry;
	bool good = true;

	if (directory->folders[FOLDER_DOMAINS] < 0)
		return 0;
	names = directory_names(directory, FOLDER_DOMAINS);
	if (names == NULL)
		return err_set_errno(err, errno, "cannot list the domains of the quarantine");
	for (errno = 0; good && (entry = readdir(names)) != NULL; errno = 0)
		if (directory_is_domain(entry->d_name))
			good = strlist_add(ret, entry->d_name);
	good = good && errno == 0;
	closedir(names);
	return good ? 0 : err_set(err, "cannot list the domains of the quarantine");
}

int directory_create(
	const struct directory *directory, enum folder folder, const char *name, mode_t mode)
{
	int fd = openat(directory->folders[folder], name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int saved;

	if (fd < 0)
		return -1;
	/* The mode is set at once and does not depend on anybody's umask (which threads share). */
	if ((geteuid() != 0 || fchown(fd, directory->owner, directory->group) == 0) &&
		fchmod(fd, mode) == 0)
		return fd;
	saved = errno;
	close(fd);
	unlinkat(directory->folders[folder], name, 0);
	errno = saved;
	return -1;
}

static int write_and_close(int fd, const void *bytes, size_t length)
{
	int result = io_write_all(fd, bytes, length);

	if (result == 0)
		result = fsync(fd);
	if (close(fd) != 0)
		result = -1;
	return result;
}

int directory_replace(const struct directory *directory, enum folder folder, const char *name,
	const void *bytes, size_t length, struct err *err)
{
	int at = directory->folders[folder];
	char fresh[128];
	int fd;

	snprintf(fresh, sizeof(fresh), ".%.100s.new", name);
	(void)unlinkat(at, fresh, 0); /* left by one of us that was killed; claims exclude others */
	fd = directory_create(directory, folder, fresh, 0640);
	if (fd < 0)
		return err_set_errno(
			err, errno, "cannot create %s/%s", folders[folder].name, fresh);
	if (write_and_close(fd, bytes, length) != 0 || renameat(at, fresh, at, name) != 0) {
		err_set_errno(err, errno, "cannot write %s/%s", folders[folder].name, name);
		(void)unlinkat(at, fresh, 0);
		return -1;
	}
	if (fsync(at) != 0)
		return err_set_errno(
			err, errno, "cannot make %s/%s durable", folders[folder].name, name);
	return 0;
}

/* An opened file, if it is one of ours; else -1 with errno set. */
static int check_file(int fd, const struct directory *directory)
{
	struct stat status;
	int error = EBADF;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) != 0)
		error = errno;
	else if (S_ISREG(status.st_mode) && status.st_uid == directory->owner &&
		status.st_nlink <= 1)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

int directory_open_file(const struct directory *directory, enum folder folder, const char *name)
{
	return check_file(openat(directory->folders[folder], name, OPEN_FILE), directory);
}

/* The same in a Maildir that has not been entered, by a kernel that can rule out links (5.6). */
static int open_beneath(
	const struct directory *whole, const char *domain, enum folder folder, const char *name)
{
	const struct open_how how = { .flags = OPEN_FILE,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	char path[DIRECTORY_DOMAIN_SIZE + 256 + 8];

	snprintf(path, sizeof(path), "%s/%s/%.255s", domain, folders[folder].name, name);
	return (int)syscall(SYS_openat2, whole->folders[FOLDER_DOMAINS], path, &how, sizeof(how));
}

int directory_open_item(
	const struct directory *whole, const char *domain, enum folder folder, const char *name)
{
	struct directory directory;
	int fd, result;

	if (domain[0] == '\0')
		return directory_open_file(whole, folder, name);
	fd = open_beneath(whole, domain, folder, name);
	if (fd >= 0 || errno == ENOENT)
		return check_file(fd, whole);
	result = directory_enter(whole, domain, DIRECTORY_READ, &directory, NULL);
	if (result != 0) {
		errno = result > 0 ? ENOENT : EIO;
		return -1;
	}
	fd = directory_open_file(&directory, folder, name);
	result = errno;
	directory_leave(&directory);
	errno = result;
	return fd;
}
