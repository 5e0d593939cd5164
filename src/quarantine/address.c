/* SPDX-License-Identifier: BSD-2-Clause */
/* Envelope addresses before they are shown in a header field or handed to a mail server. */
#include "quarantine/address.h"

#include <string.h>
#include <strings.h>

/* RFC 5322 section 3.2.3 atext, and any byte of a UTF-8 sequence. */
static bool is_atext(unsigned char c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		(c >= 'A' && c <= 'Z') || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_domain_byte(unsigned char c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		(c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

/* The end of a quoted local part that begins at `at`, or NULL. */
static const char *quoted_end(const char *at)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return NULL;
	}
	return at + 1;
}

static const char *local_part_end(const char *address)
{
	const char *at = address;

	if (*at == '"')
		return quoted_end(at);
	while (is_atext((unsigned char)*at) || *at == '.')
		at++;
	return at == address || *address == '-' ? NULL : at;
}

static bool is_domain(const char *domain)
{
	size_t length = strlen(domain);

	if (length > 2 && domain[0] == '[' && domain[length - 1] == ']')
		return strspn(domain + 1, "0123456789abcdefABCDEFIPv:.") == length - 2;
	for (size_t i = 0; i < length; i++)
		if (!is_domain_byte((unsigned char)domain[i]))
			return false;
	return length > 0 && domain[0] != '-';
}

bool address_is_safe(const char *address)
{
	const char *end = local_part_end(address);

	if (end == NULL)
		return false;
	return *end == '\0' || (*end == '@' && is_domain(end + 1));
}

const char *address_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? "" : at + 1;
}

bool address_equal(const char *a, const char *b)
{
	size_t local = (size_t)(address_domain(a) - a);

	if (*address_domain(a) == '\0' || *address_domain(b) == '\0')
		return strcmp(a, b) == 0;
	return local == (size_t)(address_domain(b) - b) && memcmp(a, b, local) == 0 &&
		strcasecmp(a + local, b + local) == 0;
}

char *address_folded(const char *address)
{
	char *copy = strdup(address);

	for (char *at = copy; at != NULL && *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	return copy;
}

bool address_put_header(struct buf *out, const char *address)
{
	bool safe = address_is_safe(address);

	buf_putc(out, '<');
	for (const char *at = address; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;
		bool shown = c > 0x20 && c < 0x7f && (safe || strchr("<>,;()\"\\", c) == NULL);

		buf_putc(out, shown ? (char)c : '?');
	}
	return buf_putc(out, '>');
}
