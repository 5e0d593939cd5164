/* SPDX-License-Identifier: BSD-2-Clause */
/* Which policy applies to an address: the most specific section wins, field by field. */
#include "policy/lookup.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "config/options.h"
#include "config/policy_index.h"
#include "config/values.h"
#include "policy/address_keys.h"
#include "policy/mailbox.h"
#include "policy/user.h"

struct search {
	const struct settings *settings;
	struct policy_fields *fields;
};

static void find_and_merge(const char *key, void *context)
{
	struct search *search = context;
	struct policy_entry entry;

	if (policy_index_find(search->settings->index, key, &entry))
		policy_fields_merge(search->fields, &entry.fields);
}

void policy_lookup(
	const struct settings *settings, const char *recipient, struct policy_fields *ret_fields)
{
	struct search search = { settings, ret_fields };
	struct mailbox mailbox;

	*ret_fields = (struct policy_fields){ 0 };
	if (policy_index_count(settings->index) > 0) {
		policy_mailbox(settings, recipient, &mailbox);
		address_keys(
			mailbox.address, settings->recipient_delimiter, find_and_merge, &search);
	}
	policy_fields_merge(ret_fields, &settings->policy);
}

static void find_and_merge_sender(const char *key, void *context)
{
	struct search *search = context;
	struct policy_entry entry;

	if (!policy_index_find(search->settings->senders, key, &entry))
		return;
	for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++)
		entry.fields.origins[field].is_sender = true;
	policy_fields_merge(search->fields, &entry.fields);
}

void policy_lookup_outbound(
	const struct settings *settings, const char *sender, struct policy_fields *ret_fields)
{
	struct search search = { settings, ret_fields };

	*ret_fields = (struct policy_fields){ 0 };
	if (sender != NULL && policy_index_count(settings->senders) > 0)
		address_keys(sender, settings->recipient_delimiter, find_and_merge_sender, &search);
	policy_fields_merge(ret_fields, &settings->outbound.fields);
	/* Whom others' recipients trust says nothing of our own senders. */
	ret_fields->set |= 1u << POLICY_ACCEPT_SENDERS | 1u << POLICY_ACCEPT_CLIENTS |
		1u << POLICY_ACCEPT_RECIPIENTS;
	policy_fields_merge(ret_fields, &settings->policy);
}

bool origin_print(const struct origin *origin, struct buf *out)
{
	if (origin->file == NULL)
		return buf_puts(out, "default");
	if (origin->key != NULL) {
		bool is_address = strchr(origin->key, '@') != NULL;

		buf_puts(out, origin->is_sender ? "sender" : is_address ? "address" : "domain");
		buf_puts(out, " \"");
		encode_terminal(out, origin->key, strlen(origin->key));
		buf_puts(out, "\" at ");
	}
	encode_terminal(out, origin->file, strlen(origin->file));
	return buf_printf(out, ":%u", origin->line);
}

static void list_key(const char *key, void *context)
{
	struct buf *out = context;

	encode_terminal(out, key, strlen(key));
	buf_puts(out, ", ");
}

static void explain_field(
	const struct option *option, const struct policy_fields *fields, struct buf *out)
{
	struct buf value;

	buf_init(&value, 8 * LIMIT_REPLY_TEXT);
	value_print(option, fields, &value);
	buf_printf(out, "%-14s ", option->name);
	encode_terminal(out, buf_text(&value), value.length);
	buf_printf(out, "%*s  from ", value.length < 10 ? (int)(10 - value.length) : 0, "");
	origin_print(&fields->origins[option->field], out);
	buf_putc(out, '\n');
	buf_free(&value);
}

static void explain_fields(const struct policy_fields *fields, struct buf *out)
{
	for (size_t i = 0; i < option_count; i++)
		if ((options[i].sections & SECTION_BIT(SECTION_POLICY)) != 0)
			explain_field(&options[i], fields, out);
}

static void explain_name(const char *label, const char *name, struct buf *out)
{
	buf_printf(out, "%-14s ", label);
	encode_terminal(out, name, strlen(name));
}

/* As whom spamd scores it, where that depends on the recipient. */
static void explain_user(const struct settings *settings, const char *address, struct buf *out)
{
	const struct scorer_setting *scorer = policy_user_scorer(settings);
	char user[POLICY_USER_SIZE];

	if (scorer == NULL)
		return;
	policy_user(settings, scorer, address, user);
	explain_name("scored for", user[0] == '\0' ? "nobody in particular" : user, out);
	buf_puts(out, " by scorer ");
	encode_terminal(out, scorer->name, strlen(scorer->name));
	buf_printf(out, ", user = %s\n", scorer->user);
}

bool policy_explain(const struct settings *settings, const char *address, struct buf *out)
{
	struct policy_fields fields;
	struct mailbox mailbox;

	policy_lookup(settings, address, &fields);
	policy_mailbox(settings, address, &mailbox);
	explain_name("address", address, out);
	if (mailbox.line != 0) {
		buf_putc(out, '\n');
		explain_name("alias of", mailbox.address, out);
		buf_puts(out, " at ");
		encode_terminal(out, settings->alias_table, strlen(settings->alias_table));
		buf_printf(out, ":%u", mailbox.line);
	}
	buf_puts(out, "\nlooked for     ");
	address_keys(mailbox.address, settings->recipient_delimiter, list_key, out);
	buf_puts(out, "policy\n");
	explain_user(settings, address, out);
	explain_fields(&fields, out);
	return !out->failed;
}

bool policy_explain_outbound(const struct settings *settings, const char *sender, struct buf *out)
{
	struct policy_fields fields;

	policy_lookup_outbound(settings, sender, &fields);
	explain_name("sender", sender, out);
	buf_puts(out, "\nlooked for     ");
	address_keys(sender, settings->recipient_delimiter, list_key, out);
	buf_printf(out, "outbound, policy\nscored         %s\n",
		settings->outbound.scan ? "yes" : "no");
	explain_fields(&fields, out);
	return !out->failed;
}
