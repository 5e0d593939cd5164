/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's own protocol where libsystemd is there, nothing where it is not. */
#include "base/log_journal.h"

#include <string.h>

#include "base/limits.h"
#include "config.h"

/* The end of a value: the next blank outside quotes. */
static size_t value_end(const char *text, size_t at)
{
	bool quoted = false;

	for (; text[at] != '\0' && (quoted || text[at] != ' '); at++) {
		if (quoted && text[at] == '\\' && text[at + 1] != '\0')
			at++;
		else if (text[at] == '"')
			quoted = !quoted;
	}
	return at;
}

bool journal_next_pair(const char *text, size_t *position, struct journal_pair *ret_pair)
{
	while (text[*position] != '\0') {
		size_t key = *position + strspn(text + *position, " ");
		size_t length = strspn(text + key, "abcdefghijklmnopqrstuvwxyz_");
		size_t end = value_end(text, key);

		*position = end;
		if (length == 0 || text[key + length] != '=')
			continue; /* a word, not a pair */
		*ret_pair = (struct journal_pair){ key, length, key + length + 1,
			end - (key + length + 1) };
		return true;
	}
	return false;
}

#ifdef HAVE_SYSTEMD
#include <stdio.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#define PREFIX "SPAMBRIDGE_"

/* Fields of one record, and bytes of all of them: the text comes a second time, in pieces. */
#define FIELDS_MAX  40
#define FIELDS_SIZE (3 * LIMIT_LOG_RECORD)

struct fields {
	struct iovec list[FIELDS_MAX];
	int count;
	char text[FIELDS_SIZE];
	size_t used;
};

/* What does not fit is left out: the message itself comes first. */
static void put(struct fields *fields, const char *name, const char *value, size_t length)
{
	char *at = fields->text + fields->used;
	size_t room = sizeof(fields->text) - fields->used;
	int size = snprintf(at, room, "%s=%.*s", name, (int)length, value);

	if (size < 0 || (size_t)size >= room || fields->count == FIELDS_MAX)
		return;
	fields->list[fields->count++] = (struct iovec){ at, (size_t)size };
	fields->used += (size_t)size;
}

static void put_number(struct fields *fields, const char *name, int number)
{
	char text[16];

	put(fields, name, text, (size_t)snprintf(text, sizeof(text), "%d", number));
}

static void put_pair(struct fields *fields, const char *text, const struct journal_pair *pair)
{
	char name[64] = PREFIX;
	size_t length = sizeof(PREFIX) - 1;

	if (pair->value_length == 1 && text[pair->value] == '-')
		return;
	for (size_t i = 0; i < pair->key_length && length + 1 < sizeof(name); i++) {
		char c = text[pair->key + i];

		name[length++] = c == '_' ? c : (char)(c - 'a' + 'A');
	}
	name[length] = '\0';
	put(fields, name, text + pair->value, pair->value_length);
}

int log_journal_send(const struct journal_record *record)
{
	struct fields fields = { .count = 0 };
	struct journal_pair pair;
	size_t position = 0;

	put(&fields, "MESSAGE", record->text, strlen(record->text));
	put_number(&fields, "PRIORITY", record->priority);
	put_number(&fields, "SYSLOG_FACILITY", 2);
	put(&fields, "SYSLOG_IDENTIFIER", record->program, strlen(record->program));
	if (record->id_length > 0)
		put(&fields, PREFIX "ID", record->text, record->id_length);
	while (record->pairs && journal_next_pair(record->text, &position, &pair))
		put_pair(&fields, record->text, &pair);
	return sd_journal_sendv(fields.list, fields.count) == 0 ? 0 : -1;
}
#else
int log_journal_send(const struct journal_record *record)
{
	(void)record;
	return -1;
}
#endif
