/* SPDX-License-Identifier: BSD-2-Clause */
/* The mailbox that an alias stands for (option alias_table). Pure. */
#ifndef SPAMBRIDGE_POLICY_MAILBOX_H
#define SPAMBRIDGE_POLICY_MAILBOX_H

#include <stdbool.h>

#include "base/limits.h"
#include "config/settings.h"

struct mailbox {
	char address[2 * LIMIT_ADDRESS];
	unsigned line; /* of the alias table; 0: it is no alias */
};

/*
 * What `address` (no angle brackets) stands for: by the line of the address, else of the address
 * without its sub-address, else of its domain; else it is itself, as it was given (cut where it is
 * no address at all).
 */
void policy_mailbox(
	const struct settings *settings, const char *address, struct mailbox *ret_mailbox);

#endif
