/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: the daemon's account, its directories, the clock, and the running daemon. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netdb.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "config/options.h"
#include "ctl/control_client.h"
#include "ctl/doctor.h"

/* Messages that should fit into the directory of temporary files at the same time. */
#define MESSAGES_ROOM 20

#define CONTROL_MS 5000

/* Why an account cannot use a path, with its mend. */
static void say_blocked(struct doctor *doctor, const struct account *account, const char *what,
	const char *blocked, const char *mend)
{
	switch (errno) {
	case EPERM:
		doctor_say(doctor, DIAGNOSIS_NOTE, NULL,
			"%s: %s cannot be examined by you; run this as root", what, blocked);
		break;
	case ENOENT:
		doctor_say(doctor, DIAGNOSIS_FINDING, mend, "%s: %s does not exist", what, blocked);
		break;
	default:
		doctor_say(doctor, DIAGNOSIS_FINDING, mend, "%s: %s is closed to user %s", what,
			blocked, account->name);
		break;
	}
}

static void check_directory(struct doctor *doctor, const struct account *account, const char *what,
	const char *path, const char *mode)
{
	char blocked[PATH_MAX], mend[MEND_SIZE];

	if (account_can(account, path, R_OK | W_OK | X_OK, blocked)) {
		doctor_say(doctor, DIAGNOSIS_GOOD, NULL, "%s %s is writable for %s", what, path,
			account->name);
		return;
	}
	if (errno == EACCES && strcmp(blocked, path) != 0)
		doctor_mend(mend, "chmod o+x '%s'", blocked);
	else if (mode[0] == '1')
		doctor_mend(mend, "install -d -m %s '%s'", mode, path);
	else
		doctor_mend(mend, "install -d -o '%s' -m %s '%s'", account->name, mode, path);
	say_blocked(doctor, account, what, blocked, mend);
}

static void check_space(struct doctor *doctor)
{
	const struct settings *settings = doctor->settings;
	unsigned long long wanted = (unsigned long long)settings->max_scan_size * MESSAGES_ROOM;
	struct statvfs status;
	char mend[MEND_SIZE];

	if (statvfs(settings->temp_directory, &status) != 0)
		return;
	if ((unsigned long long)status.f_bavail * status.f_frsize < wanted)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend, "df -h '%s'", settings->temp_directory),
			"temp_directory %s has room for fewer than %d large messages",
			settings->temp_directory, MESSAGES_ROOM);
}

/* The daemon reads it again at a reload, when it is no longer root. */
static void check_config_readable(struct doctor *doctor, const struct account *account)
{
	char blocked[PATH_MAX], mend[MEND_SIZE], path[PATH_MAX];

	if (realpath(doctor->tool->config, path) == NULL ||
		account_can(account, path, R_OK, blocked))
		return;
	doctor_mend(mend,
		strcmp(blocked, path) == 0 ? "chgrp %u '%s' && chmod g+r '%s'" :
					     "chgrp %u '%s' && chmod g+x '%s'",
		(unsigned)account->gid, blocked, blocked);
	say_blocked(doctor, account, "a reload cannot read the configuration", blocked, mend);
}

static void check_account(struct doctor *doctor)
{
	const struct settings *settings = doctor->settings;
	char mend[MEND_SIZE];
	struct account account;

	if (!account_find(settings->user, &account)) {
		doctor_say(doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend, "adduser --system --group --no-create-home '%s'",
				settings->user),
			"there is no user %s to run as", settings->user);
		return;
	}
	check_config_readable(doctor, &account);
	check_directory(doctor, &account, "temp_directory", settings->temp_directory, "1777");
	check_space(doctor);
	if (settings_need_whole_message(settings))
		check_directory(
			doctor, &account, "quarantine", settings->quarantine.directory, "0700");
	account_free(&account);
}

static void check_clock(struct doctor *doctor)
{
	struct timex state = { .modes = 0 };
	struct stat status;
	const char *mend = "timedatectl set-ntp true";

	if (stat(doctor->tool->config, &status) == 0 && status.st_mtime > time(NULL) + 3600)
		doctor_say(doctor, DIAGNOSIS_FINDING, mend,
			"the clock is wrong: the configuration was changed in its future");
	else if (adjtimex(&state) == TIME_ERROR)
		doctor_say(doctor, DIAGNOSIS_NOTE, mend,
			"the kernel does not know its clock to be synchronised; SpamAssassin has "
			"rules about a message's date");
	else
		doctor_say(doctor, DIAGNOSIS_GOOD, NULL, "the clock is synchronised");
}

void doctor_check_host(struct doctor *doctor)
{
	check_account(doctor);
	check_clock(doctor);
}

/* 0, or -1 with errno: a connection that is closed again at once, which does the daemon no harm. */
static int try_listen(const struct listen_setting *listen)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(descriptor_close) int fd = -1;
	struct addrinfo *list = NULL;
	char port[8];
	int result = -1;

	if (listen->family == LISTEN_UNIX) {
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", listen->path);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, sizeof(address));
	}
	snprintf(port, sizeof(port), "%u", (unsigned)listen->port);
	if (getaddrinfo(listen->host, port, &hints, &list) != 0) {
		errno = EHOSTUNREACH;
		return -1;
	}
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		result = connect(fd, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return result;
}

static bool check_listening(struct doctor *doctor)
{
	const struct listen_setting *listen = &doctor->settings->listen;
	char words[128];

	if (try_listen(listen) == 0) {
		doctor_say(doctor, DIAGNOSIS_GOOD, NULL, "the daemon listens on %s", listen->text);
		return true;
	}
	if (errno == EACCES || errno == EPERM)
		doctor_say(doctor, DIAGNOSIS_NOTE, NULL,
			"%s cannot be reached by you; run this as root", listen->text);
	else
		doctor_say(doctor, DIAGNOSIS_FINDING, "systemctl start spambridge",
			"the daemon does not listen on %s: %s", listen->text,
			err_words(errno, words, sizeof(words)));
	return false;
}

/* "Max open files  SOFT  HARD  files" of /proc/PID/limits (proc(5)); ULLONG_MAX: no limit. */
static unsigned long long descriptor_limit(long pid)
{
	static const char label[] = "Max open files";
	char path[64], line[256];
	unsigned long long hard = ULLONG_MAX;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/limits", pid > 0 ? pid : (long)getpid());
	file = fopen(path, "re");
	if (file == NULL)
		return ULLONG_MAX;
	while (fgets(line, sizeof(line), file) != NULL) {
		char *end;

		if (strncmp(line, label, sizeof(label) - 1) != 0)
			continue;
		(void)strtoull(line + sizeof(label) - 1, &end, 10);
		hard = strtoull(end, &end, 10);
		if (hard == 0)
			hard = ULLONG_MAX; /* "unlimited" */
	}
	fclose(file);
	return hard;
}

/* The limit of the running daemon, or of this shell. */
static void check_descriptors(struct doctor *doctor, pid_t pid)
{
	const struct settings *settings = doctor->settings;
	unsigned long long needed = settings_descriptors_needed(settings);
	unsigned long long limit = descriptor_limit((long)pid);

	if (limit < needed)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			"mkdir -p /etc/systemd/system/spambridge.service.d && printf "
			"'[Service]\\nLimitNOFILE=65536\\n' > "
			"/etc/systemd/system/spambridge.service.d/limit.conf && systemctl "
			"daemon-reload "
			"&& systemctl restart spambridge",
			"max_sessions = %u needs %llu open files, the limit is %llu",
			settings->max_sessions, needed, limit);
	else
		doctor_say(doctor, DIAGNOSIS_GOOD, NULL,
			"the limit of open files is enough for max_sessions = %u",
			settings->max_sessions);
}

/* Does it run with what the file says now? */
static void check_freshness(struct doctor *doctor, const json_t *status)
{
	long long loaded_at = json_integer_value(json_object_get(status, "loaded_at"));
	struct stat file;

	if (stat(doctor->tool->config, &file) == 0 && file.st_mtime > loaded_at)
		doctor_say(doctor, DIAGNOSIS_FINDING, "spambridgectl reload",
			"the configuration was changed after the daemon had read it");
}

/*
 * The filter asks for the macros that it needs, and Postfix's lists of macros do not matter; a mail
 * server that does not listen shows in the messages.
 */
static void check_macros(struct doctor *doctor, const json_t *status)
{
	long long without = json_integer_value(json_object_get(status, "without_id"));
	long long received = json_integer_value(json_object_get(status, "received"));

	if (without > 0)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			"postconf -X milter_data_macros milter_end_of_header_macros "
			"milter_end_of_data_macros && postfix reload",
			"%lld of %lld messages came without a queue id: the mail server does not "
			"send the macro i, so that the log does not tell which message is meant",
			without, received);
	else if (received > 0)
		doctor_say(doctor, DIAGNOSIS_GOOD, NULL,
			"the mail server sends the macros that the filter asks for");
}

/* Bytes that the daemon leaves to others (daemon/runtime.c), and some mail. */
#define STORE_ROOM (128LL * 1024 * 1024)

/*
 * The quarantine as the running daemon sees it: the service manager may have made it read-only for
 * it (ProtectSystem= in the unit), which no permission shows.
 */
static void check_store_mount(struct doctor *doctor, pid_t pid)
{
	const char *directory = doctor->settings->quarantine.directory;
	char path[PATH_MAX], mend[MEND_SIZE];
	struct statvfs seen, here;

	if (pid <= 0 || !settings_need_whole_message(doctor->settings))
		return;
	snprintf(path, sizeof(path), "/proc/%ld/root%s", (long)pid, directory);
	if (statvfs(path, &seen) != 0 || statvfs(directory, &here) != 0)
		return;
	if ((here.f_flag & ST_RDONLY) != 0)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend, "mount -o remount,rw \"$(stat -c %%m '%s')\"", directory),
			"the quarantine %s is on a file system that is mounted read-only",
			directory);
	else if ((seen.f_flag & ST_RDONLY) != 0)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend,
				"mkdir -p /etc/systemd/system/spambridge.service.d && printf "
				"'[Service]\\nReadWritePaths=%s\\n' > "
				"/etc/systemd/system/spambridge.service.d/quarantine.conf && "
				"systemctl daemon-reload && systemctl restart spambridge",
				directory),
			"the quarantine %s is read-only for the daemon (a sandbox of its service)",
			directory);
	else if ((long long)seen.f_bavail * (long long)seen.f_frsize < STORE_ROOM)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend, "spambridgectl -c '%s' quarantine expire --dry-run",
				doctor->tool->config),
			"the quarantine %s has less than %lld MB left; mail that is to be held "
			"will "
			"be put off",
			directory, STORE_ROOM / (1024 * 1024));
}

void doctor_check_daemon(struct doctor *doctor)
{
	const char *path = doctor->settings->control;
	struct err err = ERR_INIT;
	json_t *status = NULL;
	pid_t pid = 0;

	if (check_listening(doctor) && path[0] != '\0') {
		status = control_ask(path, "status", deadline_after_ms(CONTROL_MS), &err);
		if (status == NULL)
			doctor_say(doctor, DIAGNOSIS_NOTE, NULL, "%s", err.text);
		else
			check_freshness(doctor, status);
		check_macros(doctor, status);
		pid = (pid_t)json_integer_value(json_object_get(status, "pid"));
	}
	check_descriptors(doctor, pid);
	check_store_mount(doctor, pid);
	json_decref(status);
}
