/* SPDX-License-Identifier: BSD-2-Clause */
/* What one section can say of a recipient's mail: joined, compared. */
#include "config/policy_fields.h"

#include <string.h>

#include "config/options.h"

void policy_fields_merge(struct policy_fields *into, const struct policy_fields *from)
{
	uint32_t news = from->set & ~into->set;

	for (size_t i = 0; news != 0 && i < option_count; i++) {
		const struct option *option = &options[i];

		if (option->field == OPTION_PLAIN || (news & 1u << option->field) == 0)
			continue;
		memcpy((char *)into + option->offset, (const char *)from + option->offset,
			option_size(option));
		into->origins[option->field] = from->origins[option->field];
	}
	into->set |= news;
}

static bool has(const struct policy_fields *fields, enum policy_field field)
{
	return (fields->set & 1u << field) != 0;
}

bool policy_fields_ordered(const struct policy_fields *fields, struct err *err)
{
	const struct threshold {
		enum policy_field field;
		const char *name;
		int32_t value;
	} chain[] = {
		{ POLICY_TAG, "tag", fields->tag },
		{ POLICY_DEFER, "defer", fields->defer },
		{ POLICY_QUARANTINE, "quarantine", fields->quarantine },
		{ POLICY_REJECT, "reject", fields->reject },
	};
	const struct threshold *last = NULL;

	for (size_t i = 0; i < sizeof(chain) / sizeof(chain[0]); i++) {
		if (!has(fields, chain[i].field) || chain[i].value == THRESHOLD_OFF)
			continue;
		if (last != NULL && last->value > chain[i].value) {
			err_set(err,
				"%s is above %s; put them in the order tag, defer, quarantine, "
				"reject, or switch one off",
				last->name, chain[i].name);
			return false;
		}
		last = &chain[i];
	}
	return true;
}

bool policy_fields_keep_mail(const struct policy_fields *fields)
{
	return (has(fields, POLICY_QUARANTINE) && fields->quarantine != THRESHOLD_OFF) ||
		(has(fields, POLICY_ON_FAILURE) && fields->on_failure == ON_FAILURE_QUARANTINE) ||
		(has(fields, POLICY_KEEP_REJECTED) && fields->keep_rejected_ms > 0);
}

bool policy_fields_hold(const struct policy_fields *fields)
{
	return has(fields, POLICY_QUARANTINE_TO) && fields->quarantine_to == QUARANTINE_TO_HOLD;
}

bool policy_fields_add_recipients(const struct policy_fields *fields)
{
	return (has(fields, POLICY_REDIRECT) && fields->redirect[0] != '\0') ||
		(has(fields, POLICY_COPY_TO) && fields->copy_to[0] != '\0');
}
