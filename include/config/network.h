/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of IP networks in CIDR notation (RFC 4632, RFC 4291 section 2.3). */
#ifndef SPAMBRIDGE_CONFIG_NETWORK_H
#define SPAMBRIDGE_CONFIG_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct network {
	unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;             /* prefix length within the 128 */
};

struct network_list {
	struct network *items;
	size_t count;
};

/*
 * Parse `address[/bits]`, brackets around IPv6 allowed; an IPv4 netmask (10.0.0.0/255.0.0.0) too.
 * Bits set beyond the prefix are an error that names the network that was probably meant.
 */
int network_parse(const char *text, struct network *ret_network, struct err *err);

/* Room for any network's text with its NUL. */
#define NETWORK_TEXT_SIZE 64

/* Write as `address/bits`; returns `text`, which has NETWORK_TEXT_SIZE bytes. */
const char *network_format(const struct network *network, char *text);

/* Append; false when out of memory. */
bool network_list_add(struct network_list *list, const struct network *network);
void network_list_free(struct network_list *list);

/* Is this socket address in the list? IPv4-mapped IPv6 counts as IPv4; other families: false. */
bool network_list_matches(const struct network_list *list, const struct sockaddr *address);

/* Does all of this network, or this address, stay on the host (127.0.0.0/8, ::1)? */
bool network_is_loopback(const struct network *network);
bool address_is_loopback(const struct sockaddr *address);

#endif
