/* SPDX-License-Identifier: BSD-2-Clause */
/* Domains and mail addresses in the one form in which they are compared. */
#include "config/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <idn2.h>

#include "base/limits.h"

/* A host name as text, bytes (RFC 1035 2.3.4); a longer one has no mail server. */
#define NAME_MAX_BYTES 255

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_ascii(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

/* Bytes that no host name holds, whatever libidn2 thinks of it. */
static bool is_name_byte(char c)
{
	return c > 0x20 && c != 0x7f && strchr("@\"\\<>()[],;:", c) == NULL;
}

/* ASCII: labels that are not empty, in lower case. `out` has room. */
static bool ascii_name(const char *name, size_t length, char *out)
{
	size_t label = 0;

	if (length > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] == '.' && label == 0)
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (!is_name_byte(name[i]))
			return false;
		out[i] = lower(name[i]);
	}
	out[length] = '\0';
	return label > 0;
}

/* UTF-8: A-labels by UTS 46, which also maps ideographic full stops to dots. */
static bool international_name(const char *name, size_t length, char *out, size_t out_size)
{
	char copy[LIMIT_ADDRESS];
	char *ascii = NULL;
	bool done = false;
	size_t ascii_length;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, name, length);
	copy[length] = '\0';
	if (idn2_to_ascii_8z(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	ascii_length = strlen(ascii);
	if (ascii_length > 0 && ascii[ascii_length - 1] == '.')
		ascii_length--;
	if (ascii_length < out_size)
		done = ascii_name(ascii, ascii_length, out);
	idn2_free(ascii);
	return done;
}

/* "[192.0.2.1]" or "[IPv6:...]" (RFC 5321 4.1.3), the address in canonical text. */
static bool literal(const char *name, size_t length, char *out, size_t out_size)
{
	char text[INET6_ADDRSTRLEN + 8], canonical[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];
	bool ipv6;
	int written;

	if (length < 3 || name[length - 1] != ']' || length - 2 >= sizeof(text))
		return false;
	memcpy(text, name + 1, length - 2);
	text[length - 2] = '\0';
	ipv6 = strncasecmp(text, "IPv6:", 5) == 0;
	if (inet_pton(ipv6 ? AF_INET6 : AF_INET, text + (ipv6 ? 5 : 0), address) != 1)
		return false;
	if (inet_ntop(ipv6 ? AF_INET6 : AF_INET, address, canonical, sizeof(canonical)) == NULL)
		return false;
	written = snprintf(out, out_size, "[%s%s]", ipv6 ? "ipv6:" : "", canonical);
	return written > 0 && (size_t)written < out_size;
}

bool domain_normalise(const char *domain, char *out, size_t out_size)
{
	size_t length = strlen(domain);

	if (length > 0 && domain[0] == '[')
		return literal(domain, length, out, out_size);
	if (length > 1 && domain[0] == '.') {
		if (out_size < 2)
			return false;
		*out++ = *domain++;
		out_size--;
		length--;
	}
	if (length > 0 && domain[length - 1] == '.')
		length--;
	if (length == 0)
		return false;
	if (!is_ascii(domain, length))
		return international_name(domain, length, out, out_size);
	return length < out_size && ascii_name(domain, length, out);
}

/* atext and dots as RFC 5321 4.1.2 allows them without quotes; bytes of UTF-8 by RFC 6531. */
static bool is_dot_string(const char *text)
{
	bool dot = true;

	for (; *text != '\0'; text++) {
		if (*text == '.' && dot)
			return false;
		dot = *text == '.';
		if ((unsigned char)*text <= 0x20 || *text == 0x7f ||
			strchr("\"(),:;<>@[\\]", *text) != NULL)
			return false;
	}
	return !dot;
}

/* The text in a quoted string, escapes resolved; false when a quote stands within it. */
static bool unquote(const char *text, size_t length, char *out)
{
	for (size_t i = 1; i < length - 1; i++) {
		if (text[i] == '"')
			return false;
		if (text[i] == '\\') {
			i++;
			if (i == length - 1)
				return false;
		}
		*out++ = lower(text[i]);
	}
	*out = '\0';
	return true;
}

/* Put in quotes with only the escapes that are needed. */
static bool quote(const char *text, char *out, size_t out_size)
{
	size_t used = 0;

	for (const char *c = text; *c != '\0'; c++)
		used += *c == '"' || *c == '\\' ? 2 : 1;
	if (used + 3 > out_size)
		return false;
	*out++ = '"';
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			*out++ = '\\';
		*out++ = *text;
	}
	*out++ = '"';
	*out = '\0';
	return true;
}

static bool local_normalise(const char *local, size_t length, char *out, size_t out_size)
{
	char plain[LIMIT_ADDRESS];

	if (length == 0 || length >= out_size || length >= sizeof(plain))
		return false;
	if (length >= 2 && local[0] == '"' && local[length - 1] == '"' &&
		unquote(local, length, plain)) {
		if (!is_dot_string(plain))
			return quote(plain, out, out_size);
		length = strlen(plain);
		local = plain;
	}
	for (size_t i = 0; i < length; i++)
		out[i] = lower(local[i]);
	out[length] = '\0';
	return true;
}

bool address_normalise(const char *address, char *local, char *domain, size_t size_of_each)
{
	/* No domain holds an '@', so the last one separates, whatever is quoted before it. */
	const char *at = strrchr(address, '@');

	if (at == NULL || at[1] == '.')
		return false;
	return local_normalise(address, (size_t)(at - address), local, size_of_each) &&
		domain_normalise(at + 1, domain, size_of_each);
}

bool addresses_match(const char *a, const char *b)
{
	char local[2][LIMIT_ADDRESS], domain[2][LIMIT_ADDRESS];

	return address_normalise(a, local[0], domain[0], sizeof(local[0])) &&
		address_normalise(b, local[1], domain[1], sizeof(local[1])) &&
		strcmp(local[0], local[1]) == 0 && strcmp(domain[0], domain[1]) == 0;
}
