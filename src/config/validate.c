/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules between several options of one configuration. */
#include <string.h>

#include "base/limits.h"
#include "config.h"
#include "config/endpoint.h"
#include "config/settings_private.h"

static void check_order(const struct policy_fields *fields, struct complaints *complaints)
{
	static const enum policy_field thresholds[] = { POLICY_TAG, POLICY_DEFER, POLICY_QUARANTINE,
		POLICY_REJECT };
	struct err err = ERR_INIT;
	unsigned line = 0;

	for (size_t i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++)
		if ((fields->set & 1u << thresholds[i]) != 0 &&
			fields->origins[thresholds[i]].line > line)
			line = fields->origins[thresholds[i]].line;
	if (!policy_fields_ordered(fields, &err))
		complain(complaints, line, "%s", err.text);
}

static void check_sockets(
	const struct settings *settings, const struct scan *scan, struct complaints *complaints)
{
	if (settings->listen.family == LISTEN_UNIX && settings->listen.path != NULL &&
		settings->control != NULL && strcmp(settings->listen.path, settings->control) == 0)
		complain(complaints,
			scan_line(&scan->sections[0], option_find(SECTION_TOP, "control"), 0),
			"control is the same socket as listen; choose another path");
}

#ifdef HAVE_MICROHTTPD
#define SERVES_HTTP true
#else
#define SERVES_HTTP false
#endif

/* Is anybody beyond this host named? */
static bool allows_others(const struct network_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!network_is_loopback(&list->items[i]))
			return true;
	return false;
}

/* An address that others can reach must be meant so: then it is said who. */
static void check_http(
	const struct settings *settings, const struct scan *scan, struct complaints *complaints)
{
	unsigned line = scan_line(&scan->sections[0], option_find(SECTION_TOP, "http_listen"), 0);
	struct sockaddr_storage address;
	socklen_t length;

	if (settings->http_listen == NULL || settings->http_listen[0] == '\0' ||
		http_address_parse(settings->http_listen, &address, &length, NULL) != 0)
		return;
	if (!SERVES_HTTP)
		complain(complaints, line,
			"http_listen is not supported by this build, which has no libmicrohttpd; "
			"leave it out");
	else if (!address_is_loopback((struct sockaddr *)&address) &&
		!allows_others(&settings->http_allow))
		complain(complaints, line,
			"http_listen = \"%s\" is an address for other hosts, but http_allow names "
			"none; name there who may ask",
			settings->http_listen);
}

static bool section_begun(const struct scan *scan, enum option_section kind)
{
	for (size_t i = 0; i < scan->section_count; i++)
		if (scan->sections[i].kind == kind)
			return true;
	return false;
}

/* The section of scorer number `index`, NULL when unknown. */
static const struct scan_section *scorer_section(const struct scan *scan, size_t index)
{
	for (size_t i = 0; i < scan->section_count; i++)
		if (scan->sections[i].kind == SECTION_SCORER && index-- == 0)
			return &scan->sections[i];
	return NULL;
}

/* Mark the scorer that is only compared with the others, of whom one must be left. */
static void choose_shadow(
	struct settings *settings, const struct scan *scan, struct complaints *complaints)
{
	bool found = false;

	if (settings->shadow == NULL || settings->shadow[0] == '\0')
		return;
	for (size_t i = 0; i < settings->scorer_count; i++) {
		const char *name = settings->scorers[i].name; /* NULL: there was no memory for it */

		if (name != NULL && strcmp(name, settings->shadow) == 0)
			found = settings->scorers[i].is_shadow = true;
	}
	if (!found || settings->scorer_count == 1)
		complain(complaints,
			scan_line(&scan->sections[0], option_find(SECTION_TOP, "shadow"), 0),
			"shadow: %s '%.80s'; %s",
			found ? "there is no scorer besides" : "no scorer is named",
			settings->shadow, found ? "add one" : "name one of them");
}

static void check_hedge(const struct settings *settings, const struct scorer_setting *scorer,
	struct complaints *complaints)
{
	if (scorer->hedge_after_ms > settings->deadline_ms)
		complain(complaints, scorer->origin.line,
			"scorer %s: hedge_after lies behind the deadline; make it shorter or off",
			scorer->name);
}

static void check_scorers(
	struct settings *settings, const struct scan *scan, struct complaints *complaints)
{
	if (!section_begun(scan, SECTION_SCORER))
		complain(complaints, 0,
			"no scorer is configured; add scorer \"spamassassin\" { servers = { "
			"\"tcp://127.0.0.1:783\" } }");
	if (settings->scorer_count > LIMIT_SCORERS)
		complain(complaints, settings->scorers[LIMIT_SCORERS].origin.line,
			"more than %d scorers; remove some", LIMIT_SCORERS);
	choose_shadow(settings, scan, complaints);
	for (size_t i = 0; i < settings->scorer_count; i++) {
		check_hedge(settings, &settings->scorers[i], complaints);
		scorer_validate(&settings->scorers[i], scorer_section(scan, i),
			&settings->private->pool, settings->user, complaints);
	}
}

void settings_validate(
	struct settings *settings, const struct scan *scan, struct complaints *complaints)
{
	check_sockets(settings, scan, complaints);
	check_http(settings, scan, complaints);
	check_scorers(settings, scan, complaints);
	check_order(&settings->private->top, complaints);
	check_order(&settings->policy, complaints);
	check_order(&settings->outbound.fields, complaints);
}
