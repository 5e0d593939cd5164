/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy for one recipient of one message. */
#include "policy/recipient.h"

#include <string.h>

#include "config/names.h"
#include "policy/accept.h"
#include "policy/lookup.h"
#include "policy/mailbox.h"

static const char *outbound_sender(const struct recipient_facts *facts)
{
	if (facts->login != NULL && strchr(facts->login, '@') != NULL)
		return facts->login;
	return facts->sender;
}

/* Else all recipients of such a message would be gone. */
static void skip_self(struct policy_fields *fields, const char *recipient)
{
	if (fields->redirect[0] != '\0' && addresses_match(fields->redirect, recipient))
		fields->redirect = "";
	if (fields->copy_to[0] != '\0' && addresses_match(fields->copy_to, recipient))
		fields->copy_to = "";
}

void recipient_policy(const struct settings *settings, const struct recipient_facts *facts,
	const char *recipient, struct policy_fields *ret_fields)
{
	const struct accept_facts accept = { facts->sender, facts->client,
		settings->recipient_delimiter };
	struct mailbox mailbox;

	if (facts->outbound)
		policy_lookup_outbound(settings, outbound_sender(facts), ret_fields);
	else
		policy_lookup(settings, recipient, ret_fields);
	skip_self(ret_fields, recipient);
	policy_mailbox(settings, recipient, &mailbox);
	ret_fields->accepted =
		policy_accepts(ret_fields, mailbox.address, &accept, &ret_fields->accepted_by);
}
