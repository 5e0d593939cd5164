/* SPDX-License-Identifier: BSD-2-Clause */
/* One mail transaction as far as it has been collected. */
#include "judge/transaction.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

const char *exemption_word(enum exemption exemption)
{
	switch (exemption) {
	case EXEMPT_TRUSTED:
		return "trusted";
	case EXEMPT_AUTHENTICATED:
		return "authenticated";
	case EXEMPT_NOT:
		break;
	}
	return "no";
}

/*
 * The host name, unless it only says that there is none: "unknown" (Postfix), "[1.2.3.4]"
 * (Sendmail).
 */
static const char *real_name(const char *host)
{
	if (host == NULL || host[0] == '[' || strcasecmp(host, "unknown") == 0)
		return NULL;
	return host;
}

void transaction_connect(
	struct transaction *transaction, const char *host, const struct sockaddr *address)
{
	struct client *client = &transaction->client;
	char text[INET6_ADDRSTRLEN] = "";

	client_free(client);
	if (address != NULL && address->sa_family == AF_INET) {
		memcpy(&client->sockaddr, address, sizeof(struct sockaddr_in));
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
			sizeof(text));
	} else if (address != NULL && address->sa_family == AF_INET6) {
		memcpy(&client->sockaddr, address, sizeof(struct sockaddr_in6));
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
			sizeof(text));
	}
	if (!fact_set(&client->name, real_name(host)) || !fact_set(&client->address, text))
		transaction->out_of_memory = true;
}

/* How much of a body anybody can need from this client. */
static size_t body_needed(const struct transaction *transaction)
{
	const struct settings *settings = transaction->settings;

	if (settings_need_whole_message(settings))
		return SIZE_MAX;
	if (transaction_exemption(transaction) != EXEMPT_NOT && !settings->outbound.scan)
		return 0;
	return settings->max_scan_size;
}

void transaction_begin(struct transaction *transaction)
{
	const struct message_limits limits = { body_needed(transaction),
		transaction->settings->message_memory, transaction->settings->temp_directory };

	message_free(&transaction->message);
	transaction->message = message_new(&limits);
	if (transaction->message == NULL)
		transaction->out_of_memory = true;
}

void transaction_expect_header(struct transaction *transaction, const char *name)
{
	if (header_is_release_mark(name))
		message_keep_whole(transaction->message);
}

void transaction_reset(struct transaction *transaction)
{
	message_free(&transaction->message);
	envelope_free(&transaction->envelope);
	transaction->rest_skipped = false;
	transaction->out_of_memory = false;
}

void transaction_free(struct transaction *transaction)
{
	transaction_reset(transaction);
	client_free(&transaction->client);
	pool_free(&transaction->pool);
}

enum exemption exemption_of(const struct settings *settings, const struct client *client,
	const struct envelope *envelope)
{
	if (network_list_matches(
		    &settings->trusted_networks, (const struct sockaddr *)&client->sockaddr))
		return EXEMPT_TRUSTED;
	if (settings->skip_authenticated && envelope->auth_login != NULL)
		return EXEMPT_AUTHENTICATED;
	return EXEMPT_NOT;
}

enum exemption transaction_exemption(const struct transaction *transaction)
{
	return exemption_of(transaction->settings, &transaction->client, &transaction->envelope);
}

bool transaction_keeps_spam_headers(const struct transaction *transaction)
{
	return network_list_matches(&transaction->settings->keep_spam_headers_from,
		(const struct sockaddr *)&transaction->client.sockaddr);
}
