/* SPDX-License-Identifier: BSD-2-Clause */
/* What another configuration would have done to messages of the log. */
#include "ctl/what_if.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/score.h"
#include "mail/envelope.h"
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

/* Whom a message went to, and the verdict for each. */
struct logged_message {
	size_t count;
	struct logged_user recipients[LIMIT_SCORE_USERS];
	struct verdict verdicts[LIMIT_SCORE_USERS];
};

/* The verdict that a reason stands for, with its score where it has one. */
static bool read_verdict(
	const char *word, const char *score, struct verdict *ret_verdict, bool *ret_outbound)
{
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

/* Each recipient was scored as a user of its own: the line tells them all. */
static bool read_users(const struct log_line *line, struct logged_message *message)
{
	const char *users = log_line_value(line, "users");
	struct logged_user user;

	message->count = 0;
	while (users != NULL && message->count < LIMIT_SCORE_USERS &&
		log_line_user(&users, &user)) {
		struct verdict *verdict = &message->verdicts[message->count];
		bool outbound;

		*verdict = (struct verdict){ .status = VERDICT_SCORED };
		if (strchr(user.name, '@') == NULL ||
			(!score_parse(user.result, strlen(user.result), &verdict->score) &&
				!read_verdict(user.result, NULL, verdict, &outbound)))
			return false;
		message->recipients[message->count++] = user;
	}
	return users != NULL && *users == '\0';
}

/* How many recipients the line counts. */
static size_t count_of(const char *to)
{
	return to == NULL ? 0 : (size_t)strtoul(to, NULL, 10);
}

/* What would be done to the message. */
static const char *decide(const struct what_if *what_if, const struct recipient_facts *facts,
	const struct logged_message *message)
{
	struct policy_fields policies[LIMIT_SCORE_USERS];
	const struct verdict *verdicts[LIMIT_SCORE_USERS];
	enum outcome outcomes[LIMIT_SCORE_USERS];
	struct action action;

	if (facts->outbound && !what_if->settings->outbound.scan)
		return "pass";
	for (size_t i = 0; i < message->count; i++) {
		recipient_policy(
			what_if->settings, facts, message->recipients[i].name, &policies[i]);
		verdicts[i] = &message->verdicts[i];
	}
	action = policy_decide(policies, verdicts, message->count, outcomes);
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

/* The recipients, if the line tells them all with their verdicts. */
static bool read_recipients(
	const struct log_line *line, const struct verdict *verdict, struct logged_message *message)
{
	const char *to = log_line_value(line, "to");

	if (to == NULL || strncmp(to, "1,", 2) != 0)
		return read_users(line, message) && message->count == count_of(to);
	message->count = 1;
	message->verdicts[0] = *verdict;
	snprintf(message->recipients[0].name, sizeof(message->recipients[0].name), "%s", to + 2);
	return true;
}

bool what_if_judge(struct what_if *what_if, const struct log_line *line)
{
	const char *sender = log_line_value(line, "from");
	struct sockaddr_storage client;
	struct recipient_facts facts = { .sender = sender,
		.client = (const struct sockaddr *)&client };
	struct logged_message message;
	struct verdict verdict = { .status = VERDICT_NONE };
	bool known = read_verdict(log_line_value(line, "reason"), log_line_value(line, "score"),
		&verdict, &facts.outbound);

	if (!read_recipients(line, &verdict, &message)) {
		what_if->several++;
		return true;
	}
	if (!known) {
		what_if->unknown++;
		return true;
	}
	if (sender != NULL && strcmp(sender, "<>") == 0)
		facts.sender = "";
	(void)address_parse_ip(log_line_value(line, "client"), &client);
	facts.outbound = facts.outbound ||
		network_list_matches(&what_if->settings->trusted_networks, facts.client);
	return count(what_if, domain_of(&facts, message.recipients[0].name),
		log_line_value(line, "action"), decide(what_if, &facts, &message));
}
