/* SPDX-License-Identifier: BSD-2-Clause */
/* What another configuration would have done to messages of the log. */
#include "ctl/what_if.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/score.h"
#include "policy/decide.h"
#include "policy/recipient.h"

static const char *const actions[WHAT_IF_ACTIONS] = { "pass", "tag", "redirect", "tempfail",
	"quarantine", "discard", "reject", "other" };

/* What the log's reasons say of a verdict. */
static const struct reason {
	const char *word;
	enum verdict_status status;
	bool outbound;
} reasons[] = {
	{ "score", VERDICT_SCORED, false },
	{ "late", VERDICT_SCORED, false },
	{ "accepted", VERDICT_SCORED, false },
	{ "outbound", VERDICT_SCORED, true },
	{ "refused", VERDICT_REFUSED, false },
	{ "timeout", VERDICT_TIMEOUT, false },
	{ "malformed", VERDICT_MALFORMED, false },
	{ "overloaded", VERDICT_OVERLOADED, false },
};

bool what_if_init(struct what_if *what_if, const struct settings *settings)
{
	*what_if = (struct what_if){ .settings = settings };
	return key_set_init(&what_if->names);
}

void what_if_free(struct what_if *what_if)
{
	key_set_free(&what_if->names);
	free(what_if->domains);
	*what_if = (struct what_if){ 0 };
}

const char *what_if_action(size_t number)
{
	return actions[number];
}

static size_t action_number(const char *word)
{
	size_t number = 0;

	while (number < WHAT_IF_ACTIONS - 1 && strcmp(actions[number], word) != 0)
		number++;
	return number;
}

size_t what_if_messages(const struct what_if_domain *domain)
{
	size_t messages = 0;

	for (size_t was = 0; was < WHAT_IF_ACTIONS; was++)
		for (size_t will = 0; will < WHAT_IF_ACTIONS; will++)
			messages += domain->counts[was][will];
	return messages;
}

size_t what_if_changes(const struct what_if_domain *domain)
{
	size_t changes = what_if_messages(domain);

	for (size_t same = 0; same < WHAT_IF_ACTIONS; same++)
		changes -= domain->counts[same][same];
	return changes;
}

static struct what_if_domain *find_domain(struct what_if *what_if, const char *name)
{
	size_t number;

	if (!array_grow((void **)&what_if->domains, what_if->names.count, &what_if->capacity,
		    sizeof(*what_if->domains)))
		return NULL;
	switch (key_set_add(&what_if->names, name, &number)) {
	case KEY_OUT_OF_MEMORY:
		return NULL;
	case KEY_ADDED:
		what_if->domains[number] = (struct what_if_domain){ 0 };
		break;
	case KEY_THERE:
		break;
	}
	return &what_if->domains[number];
}

static void read_client(const char *text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *ipv4 = (void *)ret_address;
	struct sockaddr_in6 *ipv6 = (void *)ret_address;

	*ret_address = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	if (text != NULL && inet_pton(AF_INET, text, &ipv4->sin_addr) == 1)
		ipv4->sin_family = AF_INET;
	else if (text != NULL && inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1)
		ipv6->sin6_family = AF_INET6;
}

static bool read_verdict(
	const struct log_line *line, struct verdict *ret_verdict, bool *ret_outbound)
{
	const char *word = log_line_value(line, "reason"), *score = log_line_value(line, "score");

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (strcmp(reasons[i].word, word) != 0)
			continue;
		*ret_verdict = (struct verdict){ .status = reasons[i].status };
		*ret_outbound = reasons[i].outbound;
		return reasons[i].status != VERDICT_SCORED ||
			(score != NULL && score_parse(score, strlen(score), &ret_verdict->score));
	}
	return false;
}

/* What would be done to a message to one recipient. */
static const char *decide(const struct what_if *what_if, const struct recipient_facts *facts,
	const char *recipient, const struct verdict *verdict)
{
	struct policy_fields policy;
	enum outcome outcome;
	struct action action;

	if (facts->outbound && !what_if->settings->outbound.scan)
		return "pass";
	recipient_policy(what_if->settings, facts, recipient, &policy);
	action = policy_decide(&policy, 1, verdict, &outcome);
	return action_word(&action);
}

/* Whose domain a message is counted under. */
static const char *domain_of(const struct recipient_facts *facts, const char *recipient)
{
	const char *address = facts->outbound ? facts->sender : recipient;
	const char *at = address == NULL ? NULL : strrchr(address, '@');

	return at == NULL || at[1] == '\0' ? "-" : at + 1;
}

static bool count(struct what_if *what_if, const char *domain, const char *was, const char *will)
{
	struct what_if_domain *found = find_domain(what_if, domain);

	if (found == NULL)
		return false;
	found->counts[action_number(was)][action_number(will)]++;
	return true;
}

bool what_if_judge(struct what_if *what_if, const struct log_line *line)
{
	const char *to = log_line_value(line, "to"), *sender = log_line_value(line, "from");
	struct sockaddr_storage client;
	struct recipient_facts facts = { .sender = sender,
		.client = (const struct sockaddr *)&client };
	struct verdict verdict;

	if (to == NULL || strncmp(to, "1,", 2) != 0) {
		what_if->several++;
		return true;
	}
	if (!read_verdict(line, &verdict, &facts.outbound)) {
		what_if->unknown++;
		return true;
	}
	if (sender != NULL && strcmp(sender, "<>") == 0)
		facts.sender = "";
	read_client(log_line_value(line, "client"), &client);
	facts.outbound = facts.outbound ||
		network_list_matches(&what_if->settings->trusted_networks, facts.client);
	return count(what_if, domain_of(&facts, to + 2), log_line_value(line, "action"),
		decide(what_if, &facts, to + 2, &verdict));
}
