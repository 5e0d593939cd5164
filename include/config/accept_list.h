/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Senders, recipients or clients whose mail a section accepts whatever its score: a short list that
 * a policy points at, in the order of the file. It belongs to the snapshot's pool.
 */
#ifndef SPAMBRIDGE_CONFIG_ACCEPT_LIST_H
#define SPAMBRIDGE_CONFIG_ACCEPT_LIST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strlist.h"
#include "config/network.h"

/* Elements of one list, count: each is compared for each recipient. */
#define ACCEPT_ITEMS_MAX 256

struct accept_item {
	struct accept_item *next;
	const char *name;       /* "user@example.com", "user@", "example.com", ".example.com" */
	struct network network; /* of a list of clients, where `name` is NULL */
};

/* Append an address, the local part of one with its '@', a domain or ".domain", normalised. */
int accept_add_name(
	struct accept_item **list, const char *text, struct strlist *pool, struct err *err);

/* Append a network as network_parse() takes it. */
int accept_add_network(
	struct accept_item **list, const char *text, struct strlist *pool, struct err *err);

/* Append the list in braces, as the file takes it. */
bool accept_print(const struct accept_item *list, struct buf *out);

/* Is the socket address in one of the networks? */
bool accept_has_client(const struct accept_item *list, const struct sockaddr *address);

#endif
