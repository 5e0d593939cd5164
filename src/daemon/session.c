/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection of the mail server and the message that it is bringing. */
#include "daemon/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/runtime.h"

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

struct session *session_new(struct pool *pool)
{
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	session->pool = pool;
	session->settings = pool_settings(pool);
	return session;
}

void session_reset(struct session *session)
{
	if (session->message != NULL)
		runtime_message_end();
	message_free(&session->message);
	envelope_free(&session->envelope);
	session->out_of_memory = false;
}

void session_free(struct session **session)
{
	struct session *gone = *session;

	*session = NULL;
	if (gone == NULL)
		return;
	session_reset(gone);
	client_free(&gone->client);
	pool_free(&gone->pool);
	free(gone);
}

/* The host name, unless it only says that there is none: "unknown" (Postfix), "[1.2.3.4]" (Sendmail). */
static const char *real_name(const char *host)
{
	if (host == NULL || host[0] == '[' || strcasecmp(host, "unknown") == 0)
		return NULL;
	return host;
}

void session_connect(struct session *session, const char *host, const struct sockaddr *address)
{
	struct client *client = &session->client;
	char text[INET6_ADDRSTRLEN] = "";

	client_free(client);
	client->sockaddr.ss_family = AF_UNSPEC;
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
		session->out_of_memory = true;
}

/* How much of a body anybody can need from this client. */
static size_t body_needed(const struct session *session)
{
	if (settings_need_whole_message(session->settings))
		return SIZE_MAX;
	if (session_exemption(session) != EXEMPT_NOT && !session->settings->outbound.scan)
		return 0;
	return session->settings->max_scan_size;
}

void session_begin(struct session *session, char **mail_argv)
{
	struct message_limits limits;

	session_reset(session);
	if (mail_argv != NULL && !envelope_set_sender(&session->envelope, mail_argv))
		session->out_of_memory = true;
	limits = (struct message_limits){ body_needed(session), session->settings->message_memory,
		session->settings->temp_directory };
	session->message = message_new(&limits);
	if (session->message == NULL)
		session->out_of_memory = true;
	else
		runtime_message_begin();
}

void session_header(struct session *session, const char *name, const char *value)
{
	if (session->message == NULL)
		session_begin(session, NULL);
	if (session->message != NULL)
		(void)message_add_header(session->message, name, value);
}

bool session_body(struct session *session, const void *bytes, size_t length)
{
	if (session->message == NULL)
		session_begin(session, NULL);
	return session->message != NULL &&
		message_add_body(session->message, bytes, length) == MESSAGE_ENOUGH;
}

void session_end(struct session *session)
{
	if (session->message == NULL)
		session_begin(session, NULL);
	if (session->message != NULL)
		message_seal(session->message);
}

enum exemption session_exemption(const struct session *session)
{
	const struct settings *settings = session->settings;

	if (network_list_matches(&settings->trusted_networks,
		    (const struct sockaddr *)&session->client.sockaddr))
		return EXEMPT_TRUSTED;
	if (settings->skip_authenticated && session->envelope.auth_login != NULL)
		return EXEMPT_AUTHENTICATED;
	return EXEMPT_NOT;
}

bool session_keeps_spam_headers(const struct session *session)
{
	return network_list_matches(&session->settings->keep_spam_headers_from,
		(const struct sockaddr *)&session->client.sockaddr);
}
