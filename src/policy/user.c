/* SPDX-License-Identifier: BSD-2-Clause */
/* As which user spamd scores the mail of a recipient. */
#include "policy/user.h"

#include <stdio.h>
#include <string.h>

#include "policy/address_keys.h"
#include "policy/mailbox.h"

struct search {
	char mailbox[2 * LIMIT_ADDRESS]; /* "": it is no address */
	char domain[2 * LIMIT_ADDRESS];
};

const struct scorer_setting *policy_user_scorer(const struct settings *settings)
{
	for (size_t i = 0; i < settings->scorer_count; i++)
		if (!settings->scorers[i].is_shadow && scorer_user_varies(&settings->scorers[i]))
			return &settings->scorers[i];
	return NULL;
}

/* The last key with an '@' is that without the sub-address, the first one without is the domain. */
static void take_key(const char *key, void *context)
{
	struct search *search = context;

	if (strchr(key, '@') != NULL)
		snprintf(search->mailbox, sizeof(search->mailbox), "%s", key);
	else if (search->domain[0] == '\0')
		snprintf(search->domain, sizeof(search->domain), "%s", key);
}

/* atext, dots and what address literals are made of (RFC 5321 4.1.2, 4.1.3). */
static bool is_plain(const char *text)
{
	return strspn(text,
		       "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		       "!#$%&'*+-/=?^_`{|}~.@[]:") == strlen(text);
}

void policy_user(const struct settings *settings, const struct scorer_setting *scorer,
	const char *recipient, char ret_user[POLICY_USER_SIZE])
{
	struct search search = { "", "" };
	struct mailbox mailbox;
	const char *user = scorer->user;

	if (scorer_user_varies(scorer)) {
		policy_mailbox(settings, recipient, &mailbox);
		address_keys(mailbox.address, settings->recipient_delimiter, take_key, &search);
		if (strcmp(scorer->user, "domain") == 0)
			user = search.domain;
		else
			user = search.mailbox[0] == '\0' ? mailbox.address : search.mailbox;
	}
	if (strlen(user) >= POLICY_USER_SIZE || !is_plain(user))
		user = "";
	memcpy(ret_user, user, strlen(user) + 1);
}
