/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: does Postfix know the daemon, and can it reach it? */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/doctor_mta.h"
#include "ctl/milter_list.h"
#include "ctl/postconf.h"

static const char *listen_path(const struct mta *mta)
{
	return mta->doctor->settings->listen.path;
}

static bool is_unix(const struct mta *mta)
{
	return mta->doctor->settings->listen.family == LISTEN_UNIX;
}

void mta_value(const struct mta *mta, const char *name, struct buf *out)
{
	buf_clear(out);
	(void)postconf_value(mta->doctor->config_dir, name, out, NULL);
}

static void check_listed(struct mta *mta)
{
	const struct settings *settings = mta->doctor->settings;
	size_t count = milter_list_count(
		buf_text(&mta->milters), &settings->listen, buf_text(&mta->queue));
	char mend[MEND_SIZE];

	if (count == 1)
		doctor_say(mta->doctor, DIAGNOSIS_GOOD, NULL, "smtpd_milters names %s",
			settings->listen.text);
	else if (count == 0)
		doctor_say(mta->doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend,
				"spambridgectl -c '%s' postfix enable%s && postfix%s reload",
				mta->doctor->tool->config, mta->for_enable, mta->with_directory),
			"smtpd_milters does not name %s", settings->listen.text);
	else
		doctor_say(mta->doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend,
				"spambridgectl -c '%s' postfix disable%s && spambridgectl -c "
				"'%s' postfix enable%s && postfix%s reload",
				mta->doctor->tool->config, mta->for_enable,
				mta->doctor->tool->config, mta->for_enable, mta->with_directory),
			"smtpd_milters names %s %zu times: every message is scored as often",
			settings->listen.text, count);
}

/* Where a service looks for a socket: in its chroot, or from the queue directory. */
static void seen_path(const struct mta *mta, const char *given, bool chrooted, char *path)
{
	const char *queue = buf_text(&mta->queue);

	if (chrooted || given[0] != '/')
		snprintf(path, PATH_MAX, "%s/%s", queue, given + strspn(given, "/"));
	else
		snprintf(path, PATH_MAX, "%s", given);
}

/* The path in the first entry that is ours, as it is written there. */
static bool entry_path(const struct mta *mta, char *path)
{
	const char *list = buf_text(&mta->milters), *colon;
	struct milter_entry entry;
	size_t position = 0;

	while (milter_list_next(list, &position, &entry)) {
		if (!milter_entry_is_ours(
			    list, &entry, &mta->doctor->settings->listen, buf_text(&mta->queue)))
			continue;
		colon = strchr(list + entry.start, ':');
		snprintf(path, PATH_MAX, "%.*s", (int)strcspn(colon + 1, ", \t}"), colon + 1);
		return true;
	}
	return false;
}

/* A socket outside the queue directory cannot be seen from a chroot, however it is written. */
static void say_outside(struct mta *mta, const char *service)
{
	const char *queue = buf_text(&mta->queue);
	char mend[MEND_SIZE];

	doctor_say(mta->doctor, DIAGNOSIS_FINDING,
		doctor_mend(mend,
			"install -d -o '%s' -g '%s' -m 2750 '%s/spambridge' && sed -i "
			"'s|^listen *=.*|listen = \"unix:%s/spambridge/milter.sock\"|' '%s'",
			mta->doctor->settings->user, mta->doctor->settings->socket_group, queue,
			queue, mta->doctor->tool->config),
		"service %s runs in a chroot in %s and cannot see %s", service, queue,
		listen_path(mta));
}

static void check_service(struct mta *mta, const char *service, bool chrooted, const char *given)
{
	char path[PATH_MAX], mend[MEND_SIZE];

	if (chrooted && path_below(listen_path(mta), buf_text(&mta->queue)) == NULL) {
		say_outside(mta, service);
		return;
	}
	seen_path(mta, given, chrooted, path);
	if (strcmp(path, listen_path(mta)) == 0) {
		doctor_say(mta->doctor, DIAGNOSIS_GOOD, NULL,
			"service %s%s looks for the socket at %s", service,
			chrooted ? ", in its chroot," : "", path);
		return;
	}
	doctor_say(mta->doctor, DIAGNOSIS_FINDING,
		doctor_mend(mend,
			"spambridgectl -c '%s' postfix disable%s && spambridgectl -c '%s' "
			"postfix enable%s && postfix%s reload",
			mta->doctor->tool->config, mta->for_enable, mta->doctor->tool->config,
			mta->for_enable, mta->with_directory),
		"service %s%s looks for the socket at %s, but it is at %s", service,
		chrooted ? ", in its chroot," : "", path, listen_path(mta));
}

/* "smtp/inet/command = smtpd": its first two parts, when it is an smtpd. */
static bool is_smtpd(const char *line, size_t length, char *service, size_t size)
{
	const char *end = memchr(line, ' ', length), *slash = end;

	if (end == NULL || length < 5 || strncmp(end, " = smtpd", 8) != 0 ||
		strchr(" \n", end[8]) == NULL)
		return false;
	while (slash > line && *slash != '/')
		slash--;
	snprintf(service, size, "%.*s", (int)(slash - line), line);
	return true;
}

static bool is_chrooted(const struct mta *mta, const char *service)
{
	struct buf out, level;
	char pattern[256];
	const char *value;
	bool chrooted;

	buf_init(&out, POSTCONF_VALUE_SIZE);
	buf_init(&level, POSTCONF_VALUE_SIZE);
	snprintf(pattern, sizeof(pattern), "%s/chroot", service);
	(void)postconf_services(mta->doctor->config_dir, "-F", pattern, &out, NULL);
	mta_value(mta, "compatibility_level", &level);
	value = strrchr(buf_text(&out), '=');
	/* "-" is the default: "n" since compatibility level 1 (postconf(5)). */
	chrooted = value != NULL &&
		(strcmp(value, "= y") == 0 ||
			(strcmp(value, "= -") == 0 && strcmp(buf_text(&level), "0") == 0));
	buf_free(&out);
	buf_free(&level);
	return chrooted;
}

static void check_services(struct mta *mta)
{
	char given[PATH_MAX], service[200];
	struct buf out;

	if (!is_unix(mta) || !entry_path(mta, given))
		return;
	buf_init(&out, POSTCONF_VALUE_SIZE);
	(void)postconf_services(mta->doctor->config_dir, "-F", "*/*/command", &out, NULL);
	for (const char *line = buf_text(&out); *line != '\0'; line += line[0] == '\n') {
		size_t length = strcspn(line, "\n");

		if (is_smtpd(line, length, service, sizeof(service)))
			check_service(mta, service, is_chrooted(mta, service), given);
		line += length;
	}
	buf_free(&out);
}

static void check_reach(struct mta *mta)
{
	const char *name =
		mta->doctor->mta_user == NULL ? buf_text(&mta->owner) : mta->doctor->mta_user;
	char blocked[PATH_MAX], mend[MEND_SIZE];
	struct account account;

	if (!is_unix(mta) || access(listen_path(mta), F_OK) != 0)
		return;
	if (!account_find(name, &account)) {
		doctor_say(mta->doctor, DIAGNOSIS_FINDING, "getent passwd",
			"there is no user %s for the mail server", name);
		return;
	}
	if (account_can(&account, listen_path(mta), R_OK | W_OK, blocked))
		doctor_say(mta->doctor, DIAGNOSIS_GOOD, NULL, "user %s can connect to %s", name,
			listen_path(mta));
	else if (errno == EPERM)
		doctor_say(mta->doctor, DIAGNOSIS_NOTE, NULL,
			"%s cannot be examined by you; run this as root", blocked);
	else
		doctor_say(mta->doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend,
				strcmp(blocked, listen_path(mta)) == 0 ?
					"chgrp %u '%s' && chmod 0660 '%s'" :
					"chgrp %u '%s' && chmod g+x '%s'",
				(unsigned)account.gid, blocked, blocked),
			"user %s cannot connect: %s is closed to it%s", name, blocked,
			strcmp(blocked, listen_path(mta)) == 0 ?
				" (so that it stays mended: socket_group, socket_mode)" :
				"");
	account_free(&account);
}

static void mta_init(struct mta *mta, struct doctor *doctor)
{
	const char *directory = doctor->config_dir;

	*mta = (struct mta){ .doctor = doctor };
	buf_init(&mta->queue, POSTCONF_VALUE_SIZE);
	buf_init(&mta->milters, POSTCONF_VALUE_SIZE);
	buf_init(&mta->owner, POSTCONF_VALUE_SIZE);
	if (directory == NULL)
		return;
	snprintf(mta->with_directory, sizeof(mta->with_directory), " -c '%s'", directory);
	snprintf(mta->for_enable, sizeof(mta->for_enable), " --config-dir '%s'", directory);
}

void doctor_check_postfix(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	struct mta mta;

	mta_init(&mta, doctor);
	if (postconf_value(doctor->config_dir, "queue_directory", &mta.queue, &err) != 0) {
		doctor_say(doctor, doctor->config_dir == NULL ? DIAGNOSIS_NOTE : DIAGNOSIS_FINDING,
			NULL, "Postfix was not examined: %s", err.text);
	} else {
		mta_value(&mta, "smtpd_milters", &mta.milters);
		mta_value(&mta, "mail_owner", &mta.owner);
		check_listed(&mta);
		check_services(&mta);
		check_reach(&mta);
		doctor_check_mta_settings(&mta);
	}
	buf_free(&mta.queue);
	buf_free(&mta.milters);
	buf_free(&mta.owner);
}
