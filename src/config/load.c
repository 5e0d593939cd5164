/* SPDX-License-Identifier: BSD-2-Clause */
/* From a file to a validated snapshot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "config/alias_table.h"
#include "config/domain_table.h"
#include "config/endpoint.h"
#include "config/file.h"
#include "config/policy_index.h"
#include "config/settings_private.h"
#include "config/tree.h"
#include "config/values.h"

#define SCORER_NAME_MAX 64

struct loader {
	struct settings *settings;
	struct complaints complaints;
	struct complaints domain_complaints; /* of the domain table */
	struct complaints alias_complaints;  /* of the alias table */
	struct buf text;
	struct scan scan;
	cfg_t *tree;
};

/* One section on its way from libConfuse into structs. */
struct filling {
	const struct scan_section *place;
	cfg_t *tree;
	void *plain;                  /* struct for options of its own; NULL: has none */
	struct policy_fields *fields; /* struct for policy options; NULL: has none */
};

static struct strlist *pool(struct loader *loader)
{
	return &loader->settings->private->pool;
}

static void note(struct loader *loader, const struct filling *filling, const struct option *option,
	size_t element, const struct err *err)
{
	complain(&loader->complaints, scan_line(filling->place, option, element), "%s: %s",
		option->name, err->text);
}

static void mark_set(struct loader *loader, const struct filling *filling,
	const struct option *option, struct policy_fields *fields)
{
	fields->set |= 1u << option->field;
	fields->origins[option->field] = (struct origin){ .file = loader->settings->path,
		.line = scan_line(filling->place, option, 0) };
}

/* Store what the file says of one option. */
static void fill_option(
	struct loader *loader, const struct filling *filling, const struct option *option)
{
	bool is_policy = option->field != OPTION_PLAIN;
	void *base = is_policy ? (void *)filling->fields : filling->plain;
	cfg_opt_t *given = cfg_getopt(filling->tree, option->name);
	size_t count = cfg_opt_size(given);
	bool good = count > 0 || option_is_list(option); /* an empty list is a value */

	for (size_t i = 0; i < count; i++) {
		struct err err = ERR_INIT;
		const char *text = cfg_opt_getnstr(given, (unsigned)i);

		if (value_parse(option, text, base, pool(loader), &err) == 0)
			continue;
		note(loader, filling, option, i, &err);
		good = false;
		if (complaints_full(&loader->complaints))
			return;
	}
	if (is_policy && good)
		mark_set(loader, filling, option, filling->fields);
	if (filling->place->kind == SECTION_TOP)
		loader->settings->private->lines[option - options] =
			scan_line(filling->place, option, 0);
}

/* Policy options get their defaults last, when it is known what no section sets. */
static void fill(struct loader *loader, const struct filling *filling)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];
		struct err err = ERR_INIT;

		if ((option->sections & SECTION_BIT(filling->place->kind)) == 0)
			continue;
		if (scan_find(filling->place, option) != NULL)
			fill_option(loader, filling, option);
		else if (option->field == OPTION_PLAIN &&
			settings_default(option, filling->plain, pool(loader), &err) < 0)
			note(loader, filling, option, 0, &err);
	}
}

static bool is_scorer_name(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
			    *c) == NULL)
			return false;
	return strlen(name) <= SCORER_NAME_MAX;
}

static void resolve_servers(struct loader *loader, const struct filling *filling, const char *name,
	const struct server_list *list)
{
	const struct scorer_setting *scorer = filling->plain;

	for (size_t i = 0; i < list->count; i++) {
		struct err err = ERR_INIT;

		if (server_resolve(&list->items[i], scorer->protocol, &err) < 0)
			note(loader, filling, option_find(SECTION_SCORER, name), i, &err);
	}
}

static void fill_scorer(struct loader *loader, struct filling *filling)
{
	struct settings *settings = loader->settings;
	const struct scan_section *place = filling->place;
	struct scorer_setting *scorer = realloc(
		settings->scorers, (settings->scorer_count + 1) * sizeof(*settings->scorers));

	if (scorer == NULL) {
		complain(&loader->complaints, place->line, "out of memory");
		return;
	}
	settings->scorers = scorer;
	scorer += settings->scorer_count++;
	*scorer = (struct scorer_setting){ .origin = {
						   .file = settings->path, .line = place->line } };
	scorer->name = pool_text(pool(loader), place->title);
	if (scorer->name == NULL)
		complain(&loader->complaints, place->line, "out of memory");
	else if (!is_scorer_name(scorer->name))
		complain(&loader->complaints, place->line,
			"'%.80s' is no name for a scorer; write letters, digits, '-', '_' and '.'",
			scorer->name);
	filling->plain = scorer;
	fill(loader, filling);
	resolve_servers(loader, filling, "servers", &scorer->servers);
	resolve_servers(loader, filling, "learn_servers", &scorer->learn_servers);
}

/* The normalised key of a domain {}, address {} or sender {} section. */
static bool section_key(const struct scan_section *place, char *key, size_t size)
{
	char local[LIMIT_ADDRESS], domain[LIMIT_ADDRESS];

	if (place->kind == SECTION_DOMAIN ||
		(place->kind == SECTION_SENDER && strchr(place->title, '@') == NULL))
		return domain_normalise(place->title, key, size);
	if (!address_normalise(place->title, local, domain, sizeof(local)))
		return false;
	return snprintf(key, size, "%s@%s", local, domain) < (int)size;
}

static void fill_entry(struct loader *loader, struct filling *filling)
{
	const struct scan_section *place = filling->place;
	struct policy_index *index =
		place->kind == SECTION_SENDER ? loader->settings->senders : loader->settings->index;
	char key[2 * LIMIT_ADDRESS];
	struct policy_entry entry = { .key = key,
		.origin = { .file = loader->settings->path, .line = place->line } };
	struct err err = ERR_INIT;

	filling->fields = &entry.fields;
	fill(loader, filling);
	filling->fields = NULL;
	if (!policy_fields_ordered(&entry.fields, &err)) {
		complain(&loader->complaints, place->line, "%s", err.text);
		return;
	}
	if (!section_key(place, key, sizeof(key)))
		complain(&loader->complaints, place->line,
			place->kind != SECTION_ADDRESS ?
				"'%.200s' is no domain; write \"example.com\", or "
				"\".example.com\" "
				"for its sub-domains" :
				"'%.200s' is no address; write \"user@example.com\"",
			place->title);
	else if (policy_index_add(index, &entry, &err) < 0)
		complain(&loader->complaints, place->line, "%s", err.text);
}

static void fill_section(struct loader *loader, struct filling *filling)
{
	struct settings *settings = loader->settings;

	switch (filling->place->kind) {
	case SECTION_SCORER:
		fill_scorer(loader, filling);
		return;
	case SECTION_DOMAIN:
	case SECTION_ADDRESS:
	case SECTION_SENDER:
		fill_entry(loader, filling);
		return;
	case SECTION_POLICY:
		filling->fields = &settings->policy;
		break;
	case SECTION_OUTBOUND:
		filling->plain = &settings->outbound;
		filling->fields = &settings->outbound.fields;
		break;
	case SECTION_QUARANTINE:
		filling->plain = &settings->quarantine;
		filling->fields = &settings->private->top;
		break;
	case SECTION_TOP:
	case SECTION_COUNT:
		break;
	}
	fill(loader, filling);
}

/* libConfuse keeps sections by kind in the order of the file, as the scan does. */
static void fill_sections(struct loader *loader)
{
	unsigned seen[SECTION_COUNT] = { 0 };
	const struct scan *scan = &loader->scan;

	for (size_t i = 1; i < scan->section_count; i++) {
		const struct scan_section *place = &scan->sections[i];
		cfg_opt_t *list = cfg_getopt(loader->tree, section_kinds[place->kind].name);
		struct filling filling = { .place = place,
			.tree = cfg_opt_getnsec(list, seen[place->kind]++) };

		if (filling.tree != NULL)
			fill_section(loader, &filling);
		if (complaints_full(&loader->complaints))
			return;
	}
}

/* Sections that do not stand in the file still have values. */
static void fill_absent(struct loader *loader)
{
	struct settings *settings = loader->settings;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];

		if (option->field != OPTION_PLAIN)
			continue;
		if ((option->sections & SECTION_BIT(SECTION_OUTBOUND)) != 0)
			settings_default(option, &settings->outbound, pool(loader), &err);
		if ((option->sections & SECTION_BIT(SECTION_QUARANTINE)) != 0)
			settings_default(option, &settings->quarantine, pool(loader), &err);
	}
	if (err.text[0] != '\0')
		complain(&loader->complaints, 0, "%s", err.text);
}

/* What policy {} does not set comes from the top level, else from the table. */
static void complete_policy(struct loader *loader)
{
	struct policy_fields *policy = &loader->settings->policy;
	struct err err = ERR_INIT;

	policy_fields_merge(policy, &loader->settings->private->top);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];

		if (option->field == OPTION_PLAIN || (policy->set & 1u << option->field) != 0)
			continue;
		if (settings_default(option, policy, pool(loader), &err) < 0)
			complain(&loader->complaints, 0, "%s: %s", option->name, err.text);
		policy->set |= 1u << option->field;
	}
}

static void fill_all(struct loader *loader)
{
	struct settings *settings = loader->settings;
	struct filling top = { .place = &loader->scan.sections[0],
		.tree = loader->tree,
		.plain = settings,
		.fields = &settings->private->top };

	fill_absent(loader);
	fill(loader, &top);
	fill_sections(loader);
}

static int read_file(struct loader *loader)
{
	struct err err = ERR_INIT;

	if (config_file_read(loader->settings->path, LIMIT_CONFIG_FILE, &loader->text, &err) == 0)
		return 0;
	complain(&loader->complaints, 0, "%s", err.text);
	return -1;
}

static int parse_text(struct loader *loader)
{
	struct err err = ERR_INIT;

	/* The scan may add a closing brace. */
	loader->text.max_bytes++;
	if (!scan_text(&loader->scan, &loader->text, &loader->complaints)) {
		complain(&loader->complaints, 0, "out of memory");
		return -1;
	}
	if (complaints_full(&loader->complaints))
		return -1;
	loader->tree = tree_parse(&loader->text, &err);
	if (loader->tree == NULL)
		complain(&loader->complaints, 0, "%s", err.text);
	return loader->tree != NULL ? 0 : -1;
}

/* Each step goes as far as the one before it came, so that all errors are found at once. */
static void load(struct loader *loader)
{
	struct settings *settings = loader->settings;

	if (parse_text(loader) < 0)
		return;
	fill_all(loader);
	settings_validate(settings, &loader->scan, &loader->complaints);
	complete_policy(loader);
	if (settings->domain_table != NULL && settings->domain_table[0] != '\0') {
		loader->domain_complaints.file = settings->domain_table;
		domain_table_load(settings, pool(loader), &loader->domain_complaints);
	}
	if (settings->alias_table != NULL && settings->alias_table[0] != '\0') {
		loader->alias_complaints.file = settings->alias_table;
		alias_table_load(
			settings->aliases, settings->alias_table, &loader->alias_complaints);
	}
}

/* Hand out the snapshot, or its errors. */
static struct settings *finish(struct loader *loader, struct strlist *errors)
{
	if (complaints_any(&loader->complaints) || complaints_any(&loader->domain_complaints) ||
		complaints_any(&loader->alias_complaints)) {
		complaints_move(&loader->complaints, errors);
		complaints_move(&loader->domain_complaints, errors);
		complaints_move(&loader->alias_complaints, errors);
		settings_free(&loader->settings);
	}
	tree_free(&loader->tree);
	scan_free(&loader->scan);
	buf_free(&loader->text);
	return loader->settings;
}

static bool begin(struct loader *loader, const char *path, struct strlist *errors)
{
	*loader = (struct loader){ .settings = settings_new(path), .complaints = { .file = path } };
	if (loader->settings == NULL)
		strlist_add(errors, "out of memory");
	return loader->settings != NULL;
}

struct settings *settings_load(const char *path, struct strlist *errors)
{
	struct loader loader;

	if (!begin(&loader, path, errors))
		return NULL;
	if (read_file(&loader) == 0)
		load(&loader);
	return finish(&loader, errors);
}

struct settings *settings_parse(
	const char *path, const char *text, size_t length, struct strlist *errors)
{
	struct loader loader;

	if (!begin(&loader, path, errors))
		return NULL;
	buf_init(&loader.text, LIMIT_CONFIG_FILE);
	if (buf_append(&loader.text, text, length))
		load(&loader);
	else
		complain(&loader.complaints, 0, "the text is too large");
	return finish(&loader, errors);
}
