/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a snapshot: made, shared, freed. */
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "config/alias_table.h"
#include "config/policy_index.h"
#include "config/settings_private.h"
#include "config/values.h"

static void destroy(struct settings *settings)
{
	network_list_free(&settings->http_allow);
	network_list_free(&settings->trusted_networks);
	network_list_free(&settings->keep_spam_headers_from);
	for (size_t i = 0; i < settings->scorer_count; i++) {
		free(settings->scorers[i].servers.items);
		free(settings->scorers[i].learn_servers.items);
		strlist_free(&settings->scorers[i].members);
		strlist_free(&settings->scorers[i].headers);
	}
	free(settings->scorers);
	policy_index_free(&settings->index);
	policy_index_free(&settings->senders);
	alias_table_free(&settings->aliases);
	if (settings->private != NULL)
		strlist_free(&settings->private->pool);
	free(settings->private);
	free(settings);
}

struct settings *settings_new(const char *path)
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (settings == NULL)
		return NULL;
	settings->index = policy_index_new();
	settings->senders = policy_index_new();
	settings->aliases = alias_table_new();
	settings->private = calloc(1, sizeof(*settings->private));
	if (settings->private != NULL) {
		atomic_init(&settings->private->references, 1);
		settings->path = pool_text(&settings->private->pool, path);
	}
	if (settings->index == NULL || settings->senders == NULL || settings->aliases == NULL ||
		settings->path == NULL) {
		destroy(settings);
		return NULL;
	}
	return settings;
}

struct settings *settings_ref(struct settings *settings)
{
	/* Whoever passes a reference on owns one, so no order is needed here. */
	atomic_fetch_add_explicit(&settings->private->references, 1, memory_order_relaxed);
	return settings;
}

void settings_free(struct settings **settings)
{
	struct settings *gone = *settings;

	*settings = NULL;
	/* Every owner's last reads come before the memory goes. */
	if (gone != NULL &&
		atomic_fetch_sub_explicit(&gone->private->references, 1, memory_order_acq_rel) == 1)
		destroy(gone);
}

int settings_default(const struct option *option, void *base, struct strlist *pool, struct err *err)
{
	if (option->fallback == NULL)
		return 0;
	if (option_is_list(option))
		return value_parse_list(option, option->fallback, base, pool, err);
	return value_parse(option, option->fallback, base, pool, err);
}

struct origin settings_origin(const struct settings *settings, const char *option)
{
	const struct option *row = option_find(SECTION_TOP, option);
	unsigned line = row == NULL ? 0 : settings->private->lines[row - options];

	return (struct origin){ .file = line == 0 ? NULL : settings->path, .line = line };
}

bool settings_trust_a_scorer(const struct settings *settings)
{
	for (size_t i = 0; i < settings->scorer_count; i++)
		if (settings->scorers[i].trust_action)
			return true;
	return false;
}

bool scorer_user_varies(const struct scorer_setting *scorer)
{
	return scorer->protocol == SCORER_SPAMD &&
		(strcmp(scorer->user, "recipient") == 0 || strcmp(scorer->user, "domain") == 0);
}

/* Can one message have several scores, one for each user? */
static bool scores_can_differ(const struct settings *settings)
{
	for (size_t i = 0; i < settings->scorer_count; i++)
		if (scorer_user_varies(&settings->scorers[i]) && settings->scorers[i].max_users > 1)
			return true;
	return false;
}

/*
 * Can one recipient refuse what another one gets? Then the copy of the first is held: a mail filter
 * has one answer for both.
 */
static bool recipients_can_differ(const struct settings *settings)
{
	return policy_index_count(settings->index) > 0 || scores_can_differ(settings) ||
		settings->policy.accept_recipients != NULL ||
		settings->outbound.fields.accept_recipients != NULL;
}

bool settings_need_whole_message(const struct settings *settings)
{
	return recipients_can_differ(settings) || settings->oversize == OVERSIZE_QUARANTINE ||
		policy_fields_keep_mail(&settings->policy) ||
		policy_fields_keep_mail(&settings->outbound.fields) ||
		policy_index_keeps_mail(settings->index) ||
		policy_index_keeps_mail(settings->senders);
}

/* Descriptors beyond one a session and one a scorer's slot: own sockets, threads, files. */
#define DESCRIPTORS_BESIDES 64

/* Those of http_listen: its connections, the socket, an epoll instance. */
#define DESCRIPTORS_METRICS 20

/* A slot over HTTP may have a connection in use and an idle one, each with a wake-up pair. */
#define DESCRIPTORS_HTTP 6

unsigned long long settings_descriptors_needed(const struct settings *settings)
{
	unsigned long long needed = settings->max_sessions + DESCRIPTORS_BESIDES;

	needed += settings->http_listen[0] == '\0' ? 0 : DESCRIPTORS_METRICS;

	for (size_t i = 0; i < settings->scorer_count; i++)
		needed += (unsigned long long)settings->scorers[i].servers.count *
			settings->scorers[i].max_connections *
			(settings->scorers[i].protocol == SCORER_SPAMD ? 1 : DESCRIPTORS_HTTP);
	/* A session that is scored for several users waits for all of them with one more. */
	if (scores_can_differ(settings))
		needed += settings->max_sessions;
	return needed;
}

bool settings_hold(const struct settings *settings)
{
	return policy_fields_hold(&settings->policy) ||
		policy_fields_hold(&settings->outbound.fields) ||
		policy_index_holds(settings->index) || policy_index_holds(settings->senders);
}

bool settings_add_recipients(const struct settings *settings)
{
	return policy_fields_add_recipients(&settings->policy) ||
		policy_fields_add_recipients(&settings->outbound.fields) ||
		policy_index_adds_recipients(settings->index) ||
		policy_index_adds_recipients(settings->senders);
}
