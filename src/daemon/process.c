/* SPDX-License-Identifier: BSD-2-Clause */
/* The process itself: user, descriptor limit, core dumps, service manager. */
#include "daemon/process.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/deadline.h"

int process_raise_descriptors(const struct settings *settings, struct err *err)
{
	rlim_t needed = settings_descriptors_needed(settings);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return err_set_errno(err, errno, "cannot read the limit of open files");
	if (limit.rlim_max < needed)
		return err_set(err,
			"max_sessions = %u needs %llu open files, but the hard limit is %llu: "
			"raise it "
			"(LimitNOFILE= in the unit, ulimit -Hn) or lower max_sessions",
			settings->max_sessions, (unsigned long long)needed,
			(unsigned long long)limit.rlim_max);
	/* Room above what is needed costs nothing; files of large bodies come on top. */
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			return err_set_errno(err, errno, "cannot raise the limit of open files");
	}
	return 0;
}

static int become(const struct passwd *user, struct err *err)
{
	if (initgroups(user->pw_name, user->pw_gid) != 0)
		return err_set_errno(
			err, errno, "cannot take the groups of user %s", user->pw_name);
	if (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
		setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
		return err_set_errno(err, errno, "cannot become user %s", user->pw_name);
	/* No way back, or the drop was none. */
	if (setuid(0) == 0 || getuid() == 0 || geteuid() == 0)
		return err_set(err, "user %s still has root's rights", user->pw_name);
	return 0;
}

int process_drop_privileges(const struct settings *settings, struct err *err)
{
	const struct passwd *user;

#ifndef __SANITIZE_ADDRESS__ /* whose leak check must be able to trace us */
	/* A core would hold mail and scorer passwords. */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0)
		return 0;
	user = getpwnam(settings->user);
	if (user == NULL)
		return err_set(err,
			"user = \"%s\": there is no such user; create it with "
			"'adduser --system --group %s' or name another one",
			settings->user, settings->user);
	if (user->pw_uid == 0)
		return err_set(err,
			"user = \"%s\": spambridge does not run as root; name an "
			"unprivileged user",
			settings->user);
	return become(user, err);
}

/*
 * One datagram to the service manager (sd_notify(3)). The library's own function blocks while
 * nobody reads the socket, and with it would block whoever has a signal to act on; a notification
 * that cannot go out at once is of no more use.
 */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path == NULL ? 0 : strlen(path);
	int fd;

	if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract name space (unix(7)) */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}

void process_notify_ready(void)
{
	notify("READY=1\nSTATUS=Filtering mail");
}

void process_notify_reloading(void)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_now_us());
	notify(text);
}

void process_notify_stopping(void)
{
	notify("STOPPING=1\nSTATUS=Answering the last messages");
}

void process_notify_watchdog(void)
{
	notify("WATCHDOG=1");
}

long process_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	struct cursor cursor;
	uint64_t period_us;

	if (text == NULL)
		return 0;
	cursor = cursor_over(text, strlen(text));
	if (!cursor_number(&cursor, LONG_MAX, &period_us) || !cursor_at_end(&cursor))
		return 0;
	return (long)(period_us / 2000); /* twice as often as asked for, as the manual advises */
}
