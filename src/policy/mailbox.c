/* SPDX-License-Identifier: BSD-2-Clause */
/* The mailbox that an alias stands for. */
#include "policy/mailbox.h"

#include <stdio.h>
#include <string.h>

#include "config/alias_table.h"
#include "policy/address_keys.h"

struct search {
	const struct alias_table *aliases;
	struct mailbox *mailbox;
	char whole[2 * LIMIT_ADDRESS]; /* the first key: the whole address */
};

static void try_key(const char *key, void *context)
{
	struct search *search = context;
	struct mailbox *mailbox = search->mailbox;
	const char *found;

	if (search->whole[0] == '\0')
		snprintf(search->whole, sizeof(search->whole), "%s", key);
	if (mailbox->line != 0)
		return;
	found = alias_table_find(search->aliases, key, &mailbox->line);
	if (found == NULL)
		return;
	/* A domain stands for the same local part elsewhere; no local part holds an '@' behind it. */
	if (strchr(key, '@') != NULL)
		snprintf(mailbox->address, sizeof(mailbox->address), "%s", found);
	else
		snprintf(mailbox->address, sizeof(mailbox->address), "%.*s%s",
			(int)(strrchr(search->whole, '@') + 1 - search->whole), search->whole,
			found);
}

void policy_mailbox(
	const struct settings *settings, const char *address, struct mailbox *ret_mailbox)
{
	struct search search = { .aliases = settings->aliases, .mailbox = ret_mailbox };

	ret_mailbox->line = 0;
	snprintf(ret_mailbox->address, sizeof(ret_mailbox->address), "%s", address);
	if (alias_table_count(settings->aliases) > 0)
		address_keys(address, settings->recipient_delimiter, try_key, &search);
}
