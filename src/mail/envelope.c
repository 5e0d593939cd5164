/* SPDX-License-Identifier: BSD-2-Clause */
/* What the mail server tells about a message besides its bytes. */
#include "mail/envelope.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"

void client_free(struct client *client)
{
	free(client->name);
	free(client->address);
	free(client->helo);
	free(client->server_name);
	free(client->daemon_name);
	free(client->tls_version);
	free(client->tls_cipher);
	free(client->tls_bits);
	*client = (struct client){ 0 };
}

void envelope_free(struct envelope *envelope)
{
	free(envelope->sender);
	free(envelope->queue_id);
	free(envelope->auth_login);
	free(envelope->auth_type);
	strlist_free(&envelope->recipients);
	strlist_free(&envelope->recipients_raw);
	*envelope = (struct envelope){ 0 };
}

bool fact_set(char **field, const char *text)
{
	char *copy = NULL;

	if (text != NULL && text[0] != '\0') {
		copy = strndup(text, LIMIT_FACT);
		if (copy == NULL)
			return false;
	}
	free(*field);
	*field = copy;
	return true;
}

bool client_copy(struct client *ret, const struct client *client)
{
	*ret = (struct client){ .sockaddr = client->sockaddr };
	if (fact_set(&ret->name, client->name) && fact_set(&ret->address, client->address) &&
		fact_set(&ret->helo, client->helo) &&
		fact_set(&ret->server_name, client->server_name) &&
		fact_set(&ret->daemon_name, client->daemon_name) &&
		fact_set(&ret->tls_version, client->tls_version) &&
		fact_set(&ret->tls_cipher, client->tls_cipher) &&
		fact_set(&ret->tls_bits, client->tls_bits))
		return true;
	client_free(ret);
	return false;
}

bool envelope_copy(struct envelope *ret, const struct envelope *envelope)
{
	*ret = (struct envelope){ .has_sender = envelope->has_sender,
		.utf8 = envelope->utf8,
		.eight_bit = envelope->eight_bit };
	/* The null sender is an empty string, which is not the same as none. */
	if (envelope->sender != NULL)
		ret->sender = strdup(envelope->sender);
	if ((ret->sender != NULL || envelope->sender == NULL) &&
		fact_set(&ret->queue_id, envelope->queue_id) &&
		fact_set(&ret->auth_login, envelope->auth_login) &&
		fact_set(&ret->auth_type, envelope->auth_type) &&
		strlist_add_all(&ret->recipients, &envelope->recipients) &&
		strlist_add_all(&ret->recipients_raw, &envelope->recipients_raw))
		return true;
	envelope_free(ret);
	return false;
}

bool address_parse_ip(const char *text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *ipv4 = (void *)ret_address;
	struct sockaddr_in6 *ipv6 = (void *)ret_address;

	*ret_address = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	if (text != NULL && inet_pton(AF_INET, text, &ipv4->sin_addr) == 1)
		ipv4->sin_family = AF_INET;
	else if (text != NULL && inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1)
		ipv6->sin6_family = AF_INET6;
	return ret_address->ss_family != AF_UNSPEC;
}

char *address_strip(const char *given)
{
	size_t length = strlen(given);

	if (length >= 2 && given[0] == '<' && given[length - 1] == '>') {
		given++;
		length -= 2;
	}
	if (length > LIMIT_ADDRESS)
		length = LIMIT_ADDRESS;
	return strndup(given, length);
}

bool envelope_set_sender(struct envelope *envelope, char **argv)
{
	char *sender = address_strip(argv[0]);

	if (sender == NULL)
		return false;
	free(envelope->sender);
	envelope->sender = sender;
	envelope->has_sender = true;
	for (char **arg = argv + 1; *arg != NULL; arg++) {
		if (strcasecmp(*arg, "SMTPUTF8") == 0)
			envelope->utf8 = true;
		if (strcasecmp(*arg, "BODY=8BITMIME") == 0)
			envelope->eight_bit = true;
	}
	return true;
}

bool envelope_add_recipient(struct envelope *envelope, const char *given)
{
	char *address;
	bool added;

	if (envelope->recipients.count >= LIMIT_RECIPIENTS)
		return false;
	address = address_strip(given);
	if (address == NULL)
		return false;
	/* Both lists or none: they are read side by side. */
	added = strlist_add(&envelope->recipients_raw, given);
	if (added && !strlist_add(&envelope->recipients, address)) {
		free(envelope->recipients_raw.items[--envelope->recipients_raw.count]);
		added = false;
	}
	free(address);
	return added;
}

const char *envelope_id(const struct envelope *envelope)
{
	return envelope->queue_id == NULL ? "-" : envelope->queue_id;
}
