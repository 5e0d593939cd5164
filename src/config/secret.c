/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords and tokens in files of their own. */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* User and group of the account that the daemon becomes; ours where there is none. */
static void owner_of(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	struct passwd entry, *found = NULL;
	char scratch[4096];

	*ret_uid = geteuid();
	*ret_gid = getegid();
	if (user == NULL || getpwnam_r(user, &entry, scratch, sizeof(scratch), &found) != 0 ||
		found == NULL)
		return;
	*ret_uid = found->pw_uid;
	*ret_gid = found->pw_gid;
}

static int check_private(const struct stat *status, const char *user, struct err *err)
{
	uid_t uid;
	gid_t gid;
	mode_t mode = status->st_mode;

	owner_of(user, &uid, &gid);
	if (!S_ISREG(mode))
		return err_set(err, "is no regular file; name a file");
	if (status->st_uid != 0 && status->st_uid != geteuid() && status->st_uid != uid)
		return err_set(err, "belongs to user id %u; run chown root on it",
			(unsigned)status->st_uid);
	if ((mode & (S_IRWXO | S_IWGRP | S_IXGRP)) != 0)
		return err_set(err, "may be used by others; run chmod 0640 or 0600 on it");
	if ((mode & S_IRGRP) != 0 && status->st_gid != 0 && status->st_gid != getegid() &&
		status->st_gid != gid)
		return err_set(err, "may be read by group id %u; run chmod 0600 on it",
			(unsigned)status->st_gid);
	return 0;
}

/* Most of a file, whose line with its end must be shorter, bytes. */
#define TEXT_SIZE 4096

/* Read up to `size` bytes, however few come at once. Returns -1 with errno set. */
static ssize_t read_up_to(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	do {
		got = read(fd, text + length, size - length);
		if (got > 0)
			length += (size_t)got;
	} while ((got > 0 && length < size) || (got < 0 && errno == EINTR));
	return got < 0 ? -1 : (ssize_t)length;
}

static bool is_line(const char *text, size_t length)
{
	return length > 0 && length < TEXT_SIZE - 2 && memchr(text, '\n', length) == NULL &&
		memchr(text, '\0', length) == NULL;
}

static int read_line(int fd, struct buf *line, struct err *err)
{
	char text[TEXT_SIZE];
	ssize_t got = read_up_to(fd, text, sizeof(text));
	size_t length = got < 0 ? 0 : (size_t)got;

	if (length > 0 && text[length - 1] == '\n')
		length--;
	if (length > 0 && text[length - 1] == '\r')
		length--;
	if (got < 0)
		err_set_errno(err, errno, "cannot be read");
	else if (!is_line(text, length))
		err_set(err, "holds not exactly one line; write one line into it");
	else if (!buf_append(line, text, length))
		err_set(err, "out of memory");
	explicit_bzero(text, sizeof(text));
	return line->length > 0 ? 0 : -1;
}

int secret_read(const char *path, const char *user, struct buf *ret_line, struct err *err)
{
	AUTO(descriptor_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return err_set_errno(
			err, errno, "cannot be opened by user id %u", (unsigned)geteuid());
	if (fstat(fd, &status) < 0)
		return err_set_errno(err, errno, "cannot be examined");
	if (check_private(&status, user, err) < 0)
		return -1;
	return read_line(fd, ret_line, err);
}

void secret_forget(struct buf *secret)
{
	if (secret->data != NULL)
		explicit_bzero(secret->data, secret->length);
	buf_free(secret);
}
