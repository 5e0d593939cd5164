/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: does Postfix ask the filter the right way, and what does it do when the filter is away? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/doctor_mta.h"
#include "ctl/milter_list.h"
#include "ctl/postconf.h"

/* Postfix's timeout must be this much longer than the deadline, milliseconds. */
#define TIMEOUT_MARGIN_MS 1000

/* A setting of all filters, which a filter's entry in smtpd_milters may have a value of its own for. */
struct effective {
	const char *name; /* in main.cf: "milter_" and the entry's word for it */
	struct buf value; /* that applies to us */
	bool in_entry;    /* it stands there, where postconf cannot mend it alone */
};

static void look_up(const struct mta *mta, const char *name, struct effective *effective)
{
	const struct listen_setting *listen = &mta->doctor->settings->listen;
	const char *list = buf_text(&mta->milters);
	struct milter_entry entry;
	size_t position = 0;

	*effective = (struct effective){ .name = name };
	buf_init(&effective->value, POSTCONF_VALUE_SIZE);
	while (!effective->in_entry && milter_list_next(list, &position, &entry))
		effective->in_entry =
			milter_entry_is_ours(list, &entry, listen, buf_text(&mta->queue)) &&
			milter_entry_setting(
				list, &entry, name + strlen("milter_"), &effective->value);
	if (!effective->in_entry)
		mta_value(mta, name, &effective->value);
}

/* Where it stands, for a person. */
static const char *place(const struct effective *effective)
{
	return effective->in_entry ? " (in our entry of smtpd_milters)" : "";
}

/* An entry with values of its own is written anew, without them. */
static const char *mend_with(
	const struct mta *mta, const struct effective *effective, const char *value, char *mend)
{
	const char *config = mta->doctor->tool->config;

	if (!effective->in_entry)
		return doctor_mend(mend, "postconf%s -e '%s = %s' && postfix%s reload",
			mta->with_directory, effective->name, value, mta->with_directory);
	return doctor_mend(mend,
		"spambridgectl -c '%s' postfix disable%s && spambridgectl -c '%s' postfix "
		"enable%s && postconf%s -e '%s = %s' && postfix%s reload",
		config, mta->for_enable, config, mta->for_enable, mta->with_directory,
		effective->name, value, mta->with_directory);
}

/* Postfix's time values: digits with one of s m h d w; -1 for anything else. */
static long long parse_time_ms(const char *text)
{
	static const char units[] = "smhdw";
	static const long long seconds[] = { 1, 60, 3600, 86400, 604800 };
	char *end;
	long long number;
	const char *unit;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 10)
		return -1;
	number = strtoll(text, &end, 10);
	if (*end == '\0')
		return number * 1000;
	unit = strchr(units, *end);
	return unit == NULL || end[1] != '\0' ? -1 : number * seconds[unit - units] * 1000;
}

static void check_timeout(struct mta *mta)
{
	const struct settings *settings = mta->doctor->settings;
	struct effective timeout;
	char mend[MEND_SIZE];

	look_up(mta, "milter_content_timeout", &timeout);
	if (parse_time_ms(buf_text(&timeout.value)) >= settings->deadline_ms + TIMEOUT_MARGIN_MS)
		doctor_say(mta->doctor, DIAGNOSIS_GOOD, NULL,
			"milter_content_timeout = %s%s is longer than the deadline",
			buf_text(&timeout.value), place(&timeout));
	else
		doctor_say(mta->doctor, DIAGNOSIS_FINDING, mend_with(mta, &timeout, "300s", mend),
			"milter_content_timeout = %s%s is not longer than the deadline of %lld ms",
			buf_text(&timeout.value), place(&timeout),
			(long long)settings->deadline_ms);
	buf_free(&timeout.value);
}

static void check_protocol(struct mta *mta)
{
	struct effective protocol;
	char mend[MEND_SIZE];

	look_up(mta, "milter_protocol", &protocol);
	if (strcmp(buf_text(&protocol.value), "6") == 0)
		doctor_say(mta->doctor, DIAGNOSIS_GOOD, NULL, "milter_protocol = 6%s",
			place(&protocol));
	else
		doctor_say(mta->doctor, DIAGNOSIS_FINDING, mend_with(mta, &protocol, "6", mend),
			"milter_protocol = %s%s: white space of header fields gets lost below 6",
			buf_text(&protocol.value), place(&protocol));
	buf_free(&protocol.value);
}

/* What a word of milter_default_action comes to. */
static const char *consequence(const char *action)
{
	if (strcmp(action, "accept") == 0)
		return "mail is let through unchecked, forged X-Spam fields included,";
	if (strcmp(action, "reject") == 0)
		return "all mail is refused for good";
	if (strcmp(action, "quarantine") == 0)
		return "mail is put into Postfix's hold queue";
	return "something else than a deferral happens";
}

static void check_default_action(struct mta *mta)
{
	struct effective action;
	char mend[MEND_SIZE];

	look_up(mta, "milter_default_action", &action);
	if (strcmp(buf_text(&action.value), "tempfail") == 0)
		doctor_say(mta->doctor, DIAGNOSIS_GOOD, NULL, "milter_default_action = tempfail%s",
			place(&action));
	else
		doctor_say(mta->doctor, DIAGNOSIS_FINDING,
			mend_with(mta, &action, "tempfail", mend),
			"milter_default_action = %s%s: %s while the daemon is away; tempfail lets "
			"nothing through unchecked and loses nothing",
			buf_text(&action.value), place(&action),
			consequence(buf_text(&action.value)));
	buf_free(&action.value);
}

/* Services of master.cf with values of their own: theirs to know. */
static void note_overrides(struct mta *mta, const char *pattern, const char *what)
{
	struct buf value;

	buf_init(&value, POSTCONF_VALUE_SIZE);
	(void)postconf_services(mta->doctor->config_dir, "-P", pattern, &value, NULL);
	for (const char *line = buf_text(&value); *line != '\0'; line += line[0] == '\n') {
		size_t length = strcspn(line, "\n");

		doctor_say(mta->doctor, DIAGNOSIS_NOTE, NULL,
			"master.cf has %s for a service: %.*s", what, (int)length, line);
		line += length;
	}
	buf_free(&value);
}

void doctor_check_mta_settings(struct mta *mta)
{
	check_timeout(mta);
	check_protocol(mta);
	check_default_action(mta);
	note_overrides(mta, "*/*/smtpd_milters", "filters of its own");
	note_overrides(mta, "*/*/milter_content_timeout", "a time of its own");
	note_overrides(mta, "*/*/milter_default_action", "a default action of its own");
}
