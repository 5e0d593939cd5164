/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration says of held mail. */
#include "judge/keeping.h"

#include <string.h>

#include "judge/transaction.h"
#include "policy/recipient.h"

/* True for mail of our own users. */
static bool look_up(const struct item *item, size_t recipient, const struct settings *settings,
	struct policy_fields *ret_fields)
{
	const struct recipient_facts facts = { item->envelope.sender, item->envelope.auth_login,
		(const struct sockaddr *)&item->client.sockaddr,
		exemption_of(settings, &item->client, &item->envelope) != EXEMPT_NOT };

	recipient_policy(settings, &facts, item->envelope.recipients.items[recipient], ret_fields);
	return facts.outbound;
}

int64_t keeping_time(const struct item *item, size_t recipient, const void *settings)
{
	struct policy_fields fields;

	look_up(item, recipient, settings, &fields);
	return fields.expire_ms / 1000;
}

const char *keeping_contact(const struct item *item, size_t recipient, const void *settings)
{
	struct policy_fields fields;
	bool outbound = look_up(item, recipient, settings, &fields);

	if (strcmp(fields.digest_to, DIGEST_TO_NOBODY) == 0)
		return "";
	if (strcmp(fields.digest_to, DIGEST_TO_RECIPIENT) == 0)
		return outbound ? "" : NULL;
	return fields.digest_to;
}
