/* SPDX-License-Identifier: BSD-2-Clause */
/* Which line of the configuration decided what happens to a message. */
#include "judge/rule.h"

#include <string.h>

#include "config/options.h"

static const char *field_name(int field)
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].field == field)
			return options[i].name;
	return NULL;
}

static struct rule of_field(const struct policy_fields *policy, enum policy_field field)
{
	return (struct rule){ field_name((int)field), policy->origins[field] };
}

/* An option of the top level. */
static struct rule of_option(const struct settings *settings, const char *name)
{
	return (struct rule){ name, settings_origin(settings, name) };
}

/* The first recipient with this outcome, else the first one of all; NULL when there is none. */
static const struct policy_fields *first_with(
	const struct judgement *judgement, enum outcome outcome)
{
	for (size_t i = 0; i < judgement->policy_count; i++)
		if (judgement->outcomes[i] == outcome)
			return &judgement->policies[i];
	return judgement->policy_count > 0 ? &judgement->policies[0] : NULL;
}

static enum policy_field field_of_outcome(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_DEFER:
		return POLICY_DEFER;
	case OUTCOME_QUARANTINE:
		return POLICY_QUARANTINE;
	case OUTCOME_DISCARD:
	case OUTCOME_REJECT:
		return POLICY_REJECT;
	case OUTCOME_REDIRECT:
		return POLICY_REDIRECT;
	case OUTCOME_PASS:
	case OUTCOME_TAG:
	case OUTCOME_COPY:
	case OUTCOME_TEMPFAIL:
		break;
	}
	return POLICY_TAG;
}

/* Nobody was asked. */
static struct rule exempting(const struct transaction *mail)
{
	switch (transaction_exemption(mail)) {
	case EXEMPT_TRUSTED:
		return of_option(mail->settings, "trusted_networks");
	case EXEMPT_AUTHENTICATED:
		return of_option(mail->settings, "skip_authenticated");
	case EXEMPT_NOT:
		break;
	}
	return of_option(mail->settings, "oversize");
}

static struct rule of_failure(const struct judgement *judgement)
{
	const struct policy_fields *policy = judgement->action.decisive;

	if (policy == NULL)
		policy = first_with(judgement,
			judgement->action.kind == ACTION_DISCARD ? OUTCOME_QUARANTINE :
								   OUTCOME_PASS);
	if (policy == NULL)
		return (struct rule){ .option = NULL };
	return of_field(policy, POLICY_ON_FAILURE);
}

/* A scorer decided by itself: its section lets it. */
static struct rule of_trust(const struct judgement *judgement, const struct settings *settings)
{
	const char *name = judgement->action.verdict->scorer;

	for (size_t i = 0; name != NULL && i < settings->scorer_count; i++)
		if (strcmp(settings->scorers[i].name, name) == 0)
			return (struct rule){ "trust_action", settings->scorers[i].origin };
	return (struct rule){ .option = NULL };
}

static bool all_observe(const struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->policy_count; i++)
		if (judgement->policies[i].mode != MODE_OBSERVE)
			return false;
	return judgement->policy_count > 0;
}

static struct rule of_score(const struct judgement *judgement)
{
	const struct action *action = &judgement->action;
	const struct policy_fields *decisive = action->decisive;

	if (action->kind == ACTION_DELIVER && all_observe(judgement))
		return of_field(&judgement->policies[0], POLICY_MODE);
	if (action->kind == ACTION_DELIVER && action->redirect)
		decisive = first_with(judgement, OUTCOME_REDIRECT);
	if (decisive == NULL)
		decisive = first_with(judgement, OUTCOME_PASS);
	if (decisive == NULL)
		return (struct rule){ .option = NULL };
	return of_field(
		decisive, field_of_outcome(judgement->outcomes[decisive - judgement->policies]));
}

static struct rule of_verdict(const struct judgement *judgement, const struct transaction *mail)
{
	if (strcmp(judgement->reason, "accepted") == 0)
		return of_field(&judgement->policies[0], judgement->policies[0].accepted_by);
	if (judgement->action.verdict->wish != WISH_NONE)
		return of_trust(judgement, mail->settings);
	return of_score(judgement);
}

struct rule rule_find(const struct judgement *judgement, const struct transaction *mail)
{
	/* A reviewer decided. */
	if (judgement->released_id[0] != '\0')
		return (struct rule){ .option = NULL };
	/* Put off for want of memory or disk, or since the mail server would not have it so. */
	if (judgement->action.kind == ACTION_TEMPFAIL && judgement->action.decisive == NULL)
		return (struct rule){ .option = NULL };
	switch (judgement->action.verdict->status) {
	case VERDICT_NONE:
		return exempting(mail);
	case VERDICT_OVERSIZE:
		return of_option(mail->settings, "oversize");
	case VERDICT_REFUSED:
	case VERDICT_TIMEOUT:
	case VERDICT_MALFORMED:
	case VERDICT_OVERLOADED:
		return of_failure(judgement);
	case VERDICT_SCORED:
		return of_verdict(judgement, mail);
	case VERDICT_ERROR:
		break;
	}
	return (struct rule){ .option = NULL };
}

bool rule_print(const struct rule *rule, struct buf *out)
{
	if (rule->option == NULL)
		return !out->failed;
	if (rule->origin.file == NULL)
		return buf_printf(out, "%s:default", rule->option);
	return buf_printf(out, "%s:%s:%u", rule->option, rule->origin.file, rule->origin.line);
}
