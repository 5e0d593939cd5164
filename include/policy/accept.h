/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions: senders, clients and recipients whose mail is delivered whatever its score, for each
 * recipient by the lists of his own policy. Pure.
 */
#ifndef SPAMBRIDGE_POLICY_ACCEPT_H
#define SPAMBRIDGE_POLICY_ACCEPT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "config/policy_fields.h"

/* What lists are compared with; borrowed. */
struct accept_facts {
	const char *sender;            /* without angle brackets; NULL: none */
	const struct sockaddr *client; /* AF_UNSPEC: unknown */
	const char *delimiters;        /* that may begin a sub-address */
};

/*
 * Is mail with these facts to `recipient` an exception of the recipient's policy? *ret_by is the
 * list that says so.
 */
bool policy_accepts(const struct policy_fields *fields, const char *recipient,
	const struct accept_facts *facts, enum policy_field *ret_by);

#endif
