/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: does every server of every scorer answer? */
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/deadline.h"
#include "ctl/doctor.h"
#include "scorer/exchange.h"

/* How long one server may take to answer a ping. */
#define PING_MS 5000

/* How an administrator looks after a server of this kind. */
static const char *mend_of(const struct scorer_setting *scorer)
{
	switch (scorer->protocol) {
	case SCORER_RSPAMD:
		return "systemctl restart rspamd";
	case SCORER_JSON:
		return NULL;
	case SCORER_SPAMD:
		break;
	}
	return "systemctl restart spamd";
}

/* The first address of a server; the resolver's words when there is none. */
static const char *find_address(
	const struct server_setting *server, struct server_address *ret_address)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct sockaddr_un *local = (struct sockaddr_un *)&ret_address->address;
	struct addrinfo *list = NULL;
	char port[8];
	int error;

	memset(ret_address, 0, sizeof(*ret_address));
	if (server->transport == TRANSPORT_UNIX) {
		local->sun_family = AF_UNIX;
		snprintf(local->sun_path, sizeof(local->sun_path), "%s", server->host);
		ret_address->length = sizeof(*local);
		return NULL;
	}
	snprintf(port, sizeof(port), "%u", (unsigned)server->port);
	error = getaddrinfo(server->host, port, &hints, &list);
	if (error != 0)
		return gai_strerror(error);
	memcpy(&ret_address->address, list->ai_addr, list->ai_addrlen);
	ret_address->length = list->ai_addrlen;
	freeaddrinfo(list);
	return NULL;
}

static void drive(struct exchange *exchange, struct deadline deadline)
{
	while (!exchange->done && !deadline_passed(deadline)) {
		struct pollfd set[EXCHANGE_POLL_MAX];
		int wanted_ms = -1, left_ms = deadline_ms_left(deadline);
		size_t count = exchange_poll_set(exchange, set, &wanted_ms);

		(void)poll(set, count, wanted_ms >= 0 && wanted_ms < left_ms ? wanted_ms : left_ms);
		exchange_step(exchange);
	}
}

/* A unix socket that root reaches may still be closed to the daemon. */
static void check_socket(struct doctor *doctor, const struct server_setting *server)
{
	char blocked[PATH_MAX], mend[MEND_SIZE];
	struct account account;

	if (server->transport != TRANSPORT_UNIX || !account_find(doctor->settings->user, &account))
		return;
	if (!account_can(&account, server->host, W_OK, blocked) && errno == EACCES)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend,
				strcmp(blocked, server->host) == 0 ? "setfacl -m u:%s:rw '%s'" :
								     "setfacl -m u:%s:x '%s'",
				account.name, blocked),
			"the scorer's socket: %s is closed to user %s", blocked, account.name);
	account_free(&account);
}

static void check_server(struct doctor *doctor, const struct scorer_setting *scorer,
	const struct server_setting *server)
{
	struct exchange_target target = { .scorer = scorer, .server = server };
	const char *trouble = find_address(server, &target.address);
	struct exchange *exchange;
	char mend[MEND_SIZE];

	if (trouble != NULL) {
		doctor_say(doctor, DIAGNOSIS_FINDING,
			doctor_mend(mend, "getent ahosts '%s'", server->host),
			"scorer %s: the name of %s cannot be looked up: %s", scorer->name,
			server->text, trouble);
		return;
	}
	exchange = exchange_start(&target, NULL);
	if (exchange == NULL)
		return;
	drive(exchange, deadline_after_ms(PING_MS));
	if (exchange->done && exchange->verdict.status == VERDICT_NONE)
		doctor_say(doctor, DIAGNOSIS_GOOD, NULL, "scorer %s: %s answers", scorer->name,
			server->text);
	else
		doctor_say(doctor, DIAGNOSIS_FINDING, mend_of(scorer),
			"scorer %s: %s does not answer: %s", scorer->name, server->text,
			!exchange->done ? "it is silent" : exchange->verdict.err.text);
	exchange_free(&exchange);
	check_socket(doctor, server);
}

void doctor_check_scorers(struct doctor *doctor)
{
	const struct settings *settings = doctor->settings;

	for (size_t i = 0; i < settings->scorer_count; i++)
		for (size_t j = 0; j < settings->scorers[i].servers.count; j++)
			check_server(doctor, &settings->scorers[i],
				&settings->scorers[i].servers.items[j]);
}
