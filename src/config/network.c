/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of IP networks. */
#include "config/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

#define MAPPED_BITS 96 /* ::ffff:0:0/96 holds IPv4 */

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_ipv4(const unsigned char address[16])
{
	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/* Clear every bit behind the prefix. True when there was one. */
static bool clear_host_bits(struct network *network)
{
	bool changed = false;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = network->bits > i * 8 ? network->bits - i * 8 : 0;
		unsigned char mask = keep >= 8 ? 0xff : (unsigned char)(0xff00 >> keep);

		changed = changed || (network->address[i] & ~mask) != 0;
		network->address[i] &= mask;
	}
	return changed;
}

/* The prefix length of a netmask, or -1 when its bits have gaps. */
static int mask_bits(const struct in_addr *netmask)
{
	uint32_t mask = ntohl(netmask->s_addr);
	int bits = 0;

	while (bits < 32 && (mask & (0x80000000u >> bits)) != 0)
		bits++;
	return bits == 32 || (mask << bits) == 0 ? bits : -1;
}

static bool parse_bits(const char *text, bool ipv4, unsigned *ret_bits)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	struct in_addr netmask;
	uint64_t bits;

	if (cursor_number(&cursor, ipv4 ? 32 : 128, &bits) && cursor_at_end(&cursor)) {
		*ret_bits = (unsigned)bits;
		return true;
	}
	if (!ipv4 || inet_pton(AF_INET, text, &netmask) != 1 || mask_bits(&netmask) < 0)
		return false;
	*ret_bits = (unsigned)mask_bits(&netmask);
	return true;
}

/* The address before the slash, brackets removed. */
static bool parse_address(const char *text, size_t length, struct network *network, bool *ret_ipv4)
{
	char address[INET6_ADDRSTRLEN + 1];
	struct in_addr ipv4;

	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	*ret_ipv4 = inet_pton(AF_INET, address, &ipv4) == 1;
	if (!*ret_ipv4)
		return inet_pton(AF_INET6, address, network->address) == 1;
	memcpy(network->address, mapped, sizeof(mapped));
	memcpy(network->address + sizeof(mapped), &ipv4, sizeof(ipv4));
	return true;
}

int network_parse(const char *text, struct network *ret_network, struct err *err)
{
	struct network network = { .bits = 128 };
	const char *slash = strchr(text, '/');
	char meant[NETWORK_TEXT_SIZE];
	unsigned bits;
	bool ipv4;

	if (!parse_address(
		    text, slash != NULL ? (size_t)(slash - text) : strlen(text), &network, &ipv4))
		return err_set(err,
			"'%s' is no network; write an address or address/bits, such as 10.0.0.0/8",
			text);
	if (slash != NULL) {
		if (!parse_bits(slash + 1, ipv4, &bits))
			return err_set(err, "'%s': bad prefix length; write 0 to %d behind the '/'",
				text, ipv4 ? 32 : 128);
		network.bits = ipv4 ? MAPPED_BITS + bits : bits;
	}
	if (clear_host_bits(&network))
		return err_set(err,
			"'%s' has bits set behind its prefix; write %s, or the address "
			"without /bits for one host",
			text, network_format(&network, meant));
	*ret_network = network;
	return 0;
}

const char *network_format(const struct network *network, char *text)
{
	char address[INET6_ADDRSTRLEN] = "";
	bool ipv4 = is_ipv4(network->address) && network->bits >= MAPPED_BITS;

	inet_ntop(ipv4 ? AF_INET : AF_INET6, network->address + (ipv4 ? sizeof(mapped) : 0),
		address, sizeof(address));
	snprintf(text, NETWORK_TEXT_SIZE, "%s/%u", address,
		ipv4 ? network->bits - MAPPED_BITS : network->bits);
	return text;
}

bool network_list_add(struct network_list *list, const struct network *network)
{
	/* Room doubles whenever the count is a power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t capacity = list->count == 0 ? 1 : list->count * 2;
		struct network *items = realloc(list->items, capacity * sizeof(*items));

		if (items == NULL)
			return false;
		list->items = items;
	}
	list->items[list->count++] = *network;
	return true;
}

void network_list_free(struct network_list *list)
{
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

static bool prefix_equal(const struct network *network, const unsigned char address[16])
{
	unsigned bytes = network->bits / 8;
	unsigned rest = network->bits % 8;

	if (memcmp(network->address, address, bytes) != 0)
		return false;
	return rest == 0 ||
		((network->address[bytes] ^ address[bytes]) & (0xff00 >> rest) & 0xff) == 0;
}

bool network_list_matches(const struct network_list *list, const struct sockaddr *address)
{
	unsigned char bytes[16];

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *ipv4 = (const void *)address;

		memcpy(bytes, mapped, sizeof(mapped));
		memcpy(bytes + sizeof(mapped), &ipv4->sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
	} else {
		return false;
	}
	for (size_t i = 0; i < list->count; i++) {
		/* IPv4 is no part of ::/0: whoever trusts IPv6 does not mean it. */
		if (list->items[i].bits < MAPPED_BITS && is_ipv4(bytes))
			continue;
		if (prefix_equal(&list->items[i], bytes))
			return true;
	}
	return false;
}

static const struct network loopback[] = {
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127 }, MAPPED_BITS + 8 },
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 128 },
};
#define LOOPBACKS (sizeof(loopback) / sizeof(loopback[0]))

bool network_is_loopback(const struct network *network)
{
	for (size_t i = 0; i < LOOPBACKS; i++)
		if (network->bits >= loopback[i].bits &&
			prefix_equal(&loopback[i], network->address))
			return true;
	return false;
}

bool address_is_loopback(const struct sockaddr *address)
{
	const struct network_list list = { (struct network *)loopback, LOOPBACKS };

	return network_list_matches(&list, address);
}
