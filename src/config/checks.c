/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for single text values. */
#include "config/checks.h"

#include <stdbool.h>
#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "config/endpoint.h"
#include "config/names.h"
#include "config/policy_fields.h"

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

int check_account(const char *text, struct err *err)
{
	if (text[0] >= '0' && text[0] <= '9')
		return err_set(err, "'%s' is no account name; write a name, not a number", text);
	for (const char *c = text; *c != '\0'; c++)
		if (!is_letter_or_digit(*c) && (c == text || strchr("-._", *c) == NULL) &&
			*c != '_')
			return err_set(err,
				"'%s' is no account name; write letters, digits, '_', '-' and '.'",
				text);
	return 0;
}

int check_user(const char *text, struct err *err)
{
	if (strcmp(text, "root") == 0)
		return err_set(err, "the daemon does not run as root; name an account of its own");
	return check_account(text, err);
}

int check_socket(const char *text, struct err *err)
{
	return text[0] == '\0' ? 0 : socket_path_check(text, err);
}

int check_http_listen(const char *text, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t length;

	return text[0] == '\0' ? 0 : http_address_parse(text, &address, &length, err);
}

int check_delimiter(const char *text, struct err *err)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= 0x20 || *c > 0x7e || is_letter_or_digit(*c) || strchr("@.\"\\", *c))
			return err_set(err,
				"'%s' cannot separate a sub-address; write characters such as "
				"\"+\" or "
				"\"+-\", or \"\" for none",
				text);
	return 0;
}

int check_spamd_user(const char *text, struct err *err)
{
	if (!is_printable(text) || strchr(text, ' ') != NULL)
		return err_set(err,
			"'%s' is no user name for spamd; write printable ASCII without blanks",
			text);
	return 0;
}

/* What protocol/template.h expands; a unit test compares the two, since this room lies below. */
static const char *const references[] = { "%%", "%{score}", "%{required}", "%{id}", "%{queue_id}",
	"%{sender}", "%{recipient}", "%{tests}" };

/* The length of what begins with this percent sign; 0 when nothing known does. */
static size_t reference_length(const char *at)
{
	for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++)
		if (strncmp(at, references[i], strlen(references[i])) == 0)
			return strlen(references[i]);
	return 0;
}

int check_reply_text(const char *text, struct err *err)
{
	if (!is_printable(text))
		return err_set(err, "SMTP replies are ASCII; write printable ASCII on one line");
	for (const char *at = strchr(text, '%'); at != NULL; at = strchr(at, '%')) {
		size_t length = reference_length(at);

		if (length == 0)
			return err_set(err,
				"unknown reference at '%.20s'; known are %%{score} %%{required} "
				"%%{id} "
				"%%{queue_id} %%{sender} %%{recipient} %%{tests}, and %%%% for a "
				"percent "
				"sign",
				at);
		at += length;
	}
	return 0;
}

/* "." and a number of one to three digits without leading zeros (RFC 3463 section 2). */
static bool code_part(struct cursor *cursor)
{
	const char *start = cursor->at + 1;
	uint64_t number;

	return cursor_byte(cursor, '.') && cursor_number(cursor, 999, &number) &&
		(*start != '0' || cursor->at == start + 1);
}

int check_reply_code(const char *text, struct err *err)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	uint64_t code, class;

	if (strlen(text) < 4 || text[3] != ' ' || !cursor_number(&cursor, 599, &code) ||
		code < 400 || !cursor_byte(&cursor, ' ') || !cursor_number(&cursor, 9, &class) ||
		!code_part(&cursor) || !code_part(&cursor) || !cursor_at_end(&cursor))
		return err_set(err,
			"'%s' is no reply code; write one such as \"550 5.7.1\", or \"451 4.7.1\" "
			"to "
			"put mail off",
			text);
	if (code / 100 != class)
		return err_set(err, "'%s': both codes must begin with the same digit; write \"%s\"",
			text, code / 100 == 5 ? "550 5.7.1" : "451 4.7.1");
	if (code == 421)
		return err_set(err, "421 ends the whole session; write \"451 4.7.1\"");
	return 0;
}

int check_address(const char *text, struct err *err)
{
	char local[LIMIT_ADDRESS], domain[LIMIT_ADDRESS];

	if (text[0] == '\0')
		return 0;
	if (!is_printable(text) || strpbrk(text, " <>,;") != NULL ||
		!address_normalise(text, local, domain, sizeof(local)))
		return err_set(err, "'%.200s' is no address; write user@example.com", text);
	return 0;
}

int check_digest_to(const char *text, struct err *err)
{
	if (strcmp(text, DIGEST_TO_RECIPIENT) == 0 || strcmp(text, DIGEST_TO_NOBODY) == 0)
		return 0;
	if (check_address(text, NULL) == 0)
		return 0;
	return err_set(
		err, "'%.200s' is no address; write user@example.com, recipient or nobody", text);
}
