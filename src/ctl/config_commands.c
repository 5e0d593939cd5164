/* SPDX-License-Identifier: BSD-2-Clause */
/* check-config and show-policy: what the configuration says. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "config/options.h"
#include "config/values.h"
#include "ctl/tool.h"
#include "policy/lookup.h"
#include "policy/mailbox.h"
#include "policy/user.h"

/* Room for the effective configuration and for explanations, bytes. */
#define TEXT_SIZE (4 * LIMIT_CONFIG_FILE)

static int check_as_json(
	const struct tool *tool, const struct settings *settings, const struct strlist *errors)
{
	struct buf text;

	buf_init(&text, TEXT_SIZE);
	if (settings != NULL)
		settings_print(settings, &text);
	say_json(json_pack("{s:o, s:b, s:o, s:o}", "file", json_text(tool->config), "good",
		settings != NULL, "errors", json_texts(errors), "effective",
		settings == NULL ? json_null() : json_text(buf_text(&text))));
	buf_free(&text);
	return settings == NULL ? EXIT_REFUSED : EXIT_DONE;
}

static int check_as_text(
	const struct tool *tool, const struct settings *settings, const struct strlist *errors)
{
	struct buf text;

	for (size_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->items[i]);
	if (settings == NULL)
		return EXIT_REFUSED;
	printf("# ");
	say_untrusted(tool->config);
	printf(": good. In effect:\n");
	buf_init(&text, TEXT_SIZE);
	settings_print(settings, &text);
	fputs(buf_text(&text), stdout);
	buf_free(&text);
	return EXIT_DONE;
}

int command_check_config(struct tool *tool, int argc, char **argv)
{
	struct strlist errors = { 0 };
	struct settings *settings;
	int code;

	if (tool_options(tool, argc, argv, NULL) < argc)
		tool_usage(tool, "check-config takes no operand; name another file with -c FILE");
	settings = settings_load(tool->config, &errors);
	code = tool->json ? check_as_json(tool, settings, &errors) :
			    check_as_text(tool, settings, &errors);
	strlist_free(&errors);
	settings_free(&settings);
	return code;
}

/* One field of a policy: its value as the file would have it, and where it comes from. */
static json_t *field_as_json(const struct option *option, const struct policy_fields *fields)
{
	struct buf value, origin;
	json_t *json;

	buf_init(&value, TEXT_SIZE);
	buf_init(&origin, TEXT_SIZE);
	value_print(option, fields, &value);
	origin_print(&fields->origins[option->field], &origin);
	json = json_pack("{s:o, s:o}", "value", json_text(buf_text(&value)), "from",
		json_text(buf_text(&origin)));
	buf_free(&value);
	buf_free(&origin);
	return json;
}

/* The user as whom a scorer takes mail for this address; null: nobody's preferences count. */
static json_t *user_as_json(const struct settings *settings, const char *address)
{
	const struct scorer_setting *scorer = policy_user_scorer(settings);
	char user[POLICY_USER_SIZE] = "";

	if (scorer != NULL)
		policy_user(settings, scorer, address, user);
	return user[0] == '\0' ? json_null() : json_text(user);
}

static json_t *policy_as_json(const struct settings *settings, const char *address, bool outbound)
{
	struct policy_fields fields;
	struct mailbox mailbox = { .line = 0 };
	json_t *policy = json_object();

	if (outbound)
		policy_lookup_outbound(settings, address, &fields);
	else
		policy_lookup(settings, address, &fields);
	for (size_t i = 0; i < option_count; i++)
		if ((options[i].sections & SECTION_BIT(SECTION_POLICY)) != 0)
			json_object_set_new(
				policy, options[i].name, field_as_json(&options[i], &fields));
	if (!outbound)
		policy_mailbox(settings, address, &mailbox);
	return json_pack("{s:o, s:o, s:o, s:o}", "address", json_text(address), "alias_of",
		mailbox.line == 0 ? json_null() : json_text(mailbox.address), "user",
		outbound ? json_null() : user_as_json(settings, address), "policy", policy);
}

static void policy_as_text(const struct settings *settings, const char *address, bool outbound)
{
	struct buf text;

	buf_init(&text, TEXT_SIZE);
	if (outbound)
		policy_explain_outbound(settings, address, &text);
	else
		policy_explain(settings, address, &text);
	fputs(buf_text(&text), stdout);
	buf_free(&text);
}

int command_show_policy(struct tool *tool, int argc, char **argv)
{
	bool outbound = false;
	const struct tool_option own[] = {
		{ "outbound", TAKES_NOTHING, &outbound },
		{ NULL, TAKES_NOTHING, NULL },
	};
	int first = tool_options(tool, argc, argv, own);
	struct settings *settings;
	json_t *list = NULL;

	if (first == argc)
		tool_usage(tool, "whose policy? Give an address");
	settings = tool_settings(tool);
	if (settings == NULL)
		return EXIT_REFUSED;
	list = tool_report(tool);
	for (int i = first; i < argc; i++) {
		if (tool->json)
			json_array_append_new(list, policy_as_json(settings, argv[i], outbound));
		else
			policy_as_text(settings, argv[i], outbound);
		if (!tool->json && i + 1 < argc)
			putchar('\n');
	}
	if (tool->json)
		say_json(list);
	settings_free(&settings);
	return EXIT_DONE;
}
