/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for single text values of scorers that are asked by HTTP. */
#include "config/checks.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Longest name in a JSON pointer, bytes: what protocol/json_verdict.h takes. */
#define KEY_MAX 256

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

int check_url_path(const char *text, struct err *err)
{
	if (text[0] == '\0')
		return 0;
	if (text[0] != '/' || !is_printable(text) || strpbrk(text, " #\"<>\\^`{|}") != NULL)
		return err_set(err,
			"'%s' is no path of a URL; begin it with '/', and write blanks and signs "
			"such as '#' as %%20, %%23",
			text);
	return 0;
}

int check_header_word(const char *text, struct err *err)
{
	if (!is_printable(text) || strchr(text, ' ') != NULL)
		return err_set(err, "write printable ASCII without blanks");
	return 0;
}

int check_name(const char *text, struct err *err)
{
	if (!is_printable(text))
		return err_set(err, "write printable ASCII");
	return 0;
}

int check_member(const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || equals == text || equals - text > 200 || !is_printable(text))
		return err_set(err, "'%s' is no member; write name=value in printable ASCII", text);
	return 0;
}

/* A token (RFC 9110 section 5.6.2). */
static bool is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] <= 0x20 || text[i] > 0x7e ||
			strchr("\"(),/:;<=>?@[\\]{}", text[i]) != NULL)
			return false;
	return length > 0;
}

/* Fields that say where a request ends, how it is to be read, or what becomes of the connection. */
static bool is_ours(const char *text, size_t length)
{
	static const char *const names[] = { "Connection", "Content-Length", "Content-Encoding",
		"Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Accept-Encoding",
		"Keep-Alive", "Proxy-Connection" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == length && strncasecmp(names[i], text, length) == 0)
			return true;
	return false;
}

int check_http_header(const char *text, struct err *err)
{
	size_t name = strcspn(text, ":");
	const char *value = text + name;

	if (*value == ':')
		value += 1 + strspn(value + 1, " ");
	if (!is_token(text, name) || *value == '\0' || !is_printable(text))
		return err_set(err,
			"'%s' is no header line; write \"Name: value\" in printable ASCII", text);
	if (is_ours(text, name))
		return err_set(
			err, "%.*s is written by the daemon itself; remove it", (int)name, text);
	return 0;
}

int check_pointer(const char *text, struct err *err)
{
	size_t key = 0;

	if (text[0] != '\0' && text[0] != '/')
		return err_set(
			err, "'%s' is no JSON pointer; begin it with '/', as in \"/score\"", text);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '~' && c[1] != '0' && c[1] != '1')
			return err_set(err, "'%s': write '~' as ~0, and '/' in a name as ~1", text);
		key = *c == '/' ? 0 : key + 1;
		if (key >= KEY_MAX)
			return err_set(err, "a name in the pointer is too long; at most %d bytes",
				KEY_MAX - 1);
	}
	return 0;
}
