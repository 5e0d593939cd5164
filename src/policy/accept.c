/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions: mail that is delivered whatever its score. */
#include "policy/accept.h"

#include <string.h>

#include "config/accept_list.h"
#include "policy/address_keys.h"

struct comparison {
	const struct accept_item *list;
	bool found;
};

/* "user@" stands for "user@" at every domain; keys of domains hold no '@'. */
static bool matches(const char *name, const char *key)
{
	const char *at = strrchr(key, '@');
	size_t length = strlen(name);

	if (strcmp(name, key) == 0)
		return true;
	return at != NULL && length == (size_t)(at - key) + 1 && strncmp(name, key, length) == 0;
}

static void compare(const char *key, void *context)
{
	struct comparison *comparison = context;

	for (const struct accept_item *item = comparison->list; item != NULL && !comparison->found;
		item = item->next)
		comparison->found = matches(item->name, key);
}

static bool has_address(const struct accept_item *list, const char *address, const char *delimiters)
{
	struct comparison comparison = { list, false };

	if (list != NULL && address != NULL)
		address_keys(address, delimiters, compare, &comparison);
	return comparison.found;
}

bool policy_accepts(const struct policy_fields *fields, const char *recipient,
	const struct accept_facts *facts, enum policy_field *ret_by)
{
	if (accept_has_client(fields->accept_clients, facts->client))
		*ret_by = POLICY_ACCEPT_CLIENTS;
	else if (has_address(fields->accept_senders, facts->sender, facts->delimiters))
		*ret_by = POLICY_ACCEPT_SENDERS;
	else if (has_address(fields->accept_recipients, recipient, facts->delimiters))
		*ret_by = POLICY_ACCEPT_RECIPIENTS;
	else
		return false;
	return true;
}
