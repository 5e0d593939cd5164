/* SPDX-License-Identifier: BSD-2-Clause */
/* The milter socket's place in the file system. */
#include "daemon/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What the kernel shows for a group that the user name space does not hold. */
#define OVERFLOW_GROUP 65534

static int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EAGAIN) {
		int errnum = errno;

		close(fd);
		errno = errnum;
		return -1;
	}
	return fd;
}

static int connect_inet(const struct listen_setting *listen)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
		.ai_family = listen->family == LISTEN_INET ? AF_INET : AF_INET6 };
	struct addrinfo *list = NULL;
	char port[8];
	int fd = -1;

	snprintf(port, sizeof(port), "%u", (unsigned)listen->port);
	if (getaddrinfo(listen->host, port, &hints, &list) != 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) != 0 && errno != EINPROGRESS) {
		int errnum = errno;

		close(fd);
		errno = errnum;
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

int socket_connect(const struct listen_setting *listen)
{
	return listen->family == LISTEN_UNIX ? connect_unix(listen->path) : connect_inet(listen);
}

/* Look at what stands at the path; remove it only if it is a socket that nobody listens on. */
static int clear_path(const char *path, struct err *err)
{
	struct stat status;
	int fd;

	if (lstat(path, &status) != 0)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "cannot examine %s", path);
	if (!S_ISSOCK(status.st_mode))
		return err_set(err,
			"%s exists and is not a socket: remove it or choose another path "
			"for listen",
			path);
	fd = connect_unix(path);
	if (fd >= 0) {
		close(fd);
		return err_set(err,
			"%s is in use: another spambridge is running (or stop what listens "
			"there)",
			path);
	}
	if (errno != ECONNREFUSED)
		return err_set_errno(err, errno, "cannot tell whether %s is in use", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_set_errno(err, errno, "cannot remove the stale socket %s", path);
	return 0;
}

int socket_listen_unix(const char *path, mode_t mode, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int fd, result;

	if (clear_path(path, err) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot make a socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	before = umask((mode_t)(~mode & 0777));
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (result == 0 && listen(fd, 16) == 0)
		return fd;
	err_set_errno(err, errno,
		"cannot listen on %s (its directory must exist and belong to the "
		"daemon's user)",
		path);
	close(fd);
	return -1;
}

static int find_group(const char *name, gid_t *ret_group, struct err *err)
{
	const struct group *group = getgrnam(name);

	if (group == NULL)
		return err_set(err, "socket_group = \"%s\": there is no such group", name);
	*ret_group = group->gr_gid;
	return 0;
}

int socket_prepare(
	const struct settings *settings, struct socket_making *ret_making, struct err *err)
{
	gid_t group = (gid_t)-1;

	*ret_making = (struct socket_making){ .group_before = getegid() };
	if (settings->listen.family != LISTEN_UNIX) {
		ret_making->umask_before = umask(077);
		return 0;
	}
	if (clear_path(settings->listen.path, err) != 0)
		return -1;
	if (settings->socket_group[0] != '\0') {
		if (find_group(settings->socket_group, &group, err) != 0)
			return -1;
		/* Without the right to change groups, socket_finish() does it by chown. */
		ret_making->group_changed = setegid(group) == 0;
	}
	ret_making->umask_before =
		umask(settings->socket_group[0] == '\0' || ret_making->group_changed ?
				(mode_t)(~settings->socket_mode & 0777) :
				(mode_t)0177);
	return 0;
}

/*
 * Files made in a directory with the set-group-ID bit have its group (inode(7)). That serves a
 * daemon that may change no groups, even one whose user name space does not hold the group: there
 * the directory's shows as the overflow id (user_namespaces(7)).
 */
static bool directory_gives_group(const char *path, gid_t group)
{
	char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat status;
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash == NULL)
		return false;
	slash[slash == parent ? 1 : 0] = '\0';
	return stat(parent, &status) == 0 && (status.st_mode & S_ISGID) != 0 &&
		(status.st_gid == group || status.st_gid == OVERFLOW_GROUP);
}

/*
 * Give the socket its group and mode where umask and group could not, and, started as root, to the
 * user who will run: the gate connects to it, and it is removed at the end.
 */
static int set_owner_and_mode(const struct settings *settings, struct err *err)
{
	const char *path = settings->listen.path;
	const struct passwd *user = geteuid() == 0 ? getpwnam(settings->user) : NULL;
	gid_t group = (gid_t)-1;

	if (user != NULL && chown(path, user->pw_uid, (gid_t)-1) != 0)
		return err_set_errno(err, errno, "cannot give %s to user %s", path, settings->user);
	if (settings->socket_group[0] != '\0') {
		if (find_group(settings->socket_group, &group, err) != 0)
			return -1;
		if (chown(path, (uid_t)-1, group) != 0 && !directory_gives_group(path, group))
			return err_set_errno(err, errno,
				"cannot give %s to group %s: start as root, or make the user a "
				"member of "
				"that group",
				path, settings->socket_group);
	}
	if (chmod(path, settings->socket_mode) != 0)
		return err_set_errno(err, errno, "cannot set the mode of %s", path);
	return 0;
}

int socket_finish(
	const struct settings *settings, const struct socket_making *making, struct err *err)
{
	int result = 0;

	if (settings->listen.family == LISTEN_UNIX)
		result = set_owner_and_mode(settings, err);
	umask(making->umask_before);
	if (making->group_changed && setegid(making->group_before) != 0)
		return err_set_errno(err, errno, "cannot return to the former group");
	return result;
}

void socket_remove(const struct settings *settings)
{
	struct stat status;
	const char *path = settings->listen.path;
	int fd;

	if (settings->listen.family != LISTEN_UNIX || lstat(path, &status) != 0 ||
		!S_ISSOCK(status.st_mode))
		return;
	fd = connect_unix(path); /* a successor may have it by now */
	if (fd >= 0)
		close(fd);
	else if (errno == ECONNREFUSED)
		(void)unlink(path);
}
