/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy for one recipient of one message: what sections say, after what the message itself
 * changes in it. Shared by the daemon and by who asks what another configuration would do. Pure.
 */
#ifndef SPAMBRIDGE_POLICY_RECIPIENT_H
#define SPAMBRIDGE_POLICY_RECIPIENT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "config/settings.h"

/* Of the message; borrowed. */
struct recipient_facts {
	const char *sender;            /* without angle brackets; NULL: none */
	const char *login;             /* of an authenticated sender; NULL */
	const struct sockaddr *client; /* AF_UNSPEC: unknown */
	bool outbound;                 /* it is mail of our own senders */
};

/*
 * Fill in the policy for `recipient`: by its address, or by the sender where the message is
 * outbound (the login when it is an address, since anybody can write anything into the envelope).
 * Who would be redirected or copied to himself is not; `accepted` is set by the lists.
 */
void recipient_policy(const struct settings *settings, const struct recipient_facts *facts,
	const char *recipient, struct policy_fields *ret_fields);

#endif
