/* SPDX-License-Identifier: BSD-2-Clause */
/* The effective configuration as text that can be loaded again. */
#include "config/settings.h"

#include <string.h>

#include "config/options.h"
#include "config/policy_index.h"
#include "config/values.h"

static void print_option(
	const struct option *option, const char *indent, const void *base, struct buf *out)
{
	buf_printf(out, "%s%s = ", indent, option->name);
	value_print(option, base, out);
	buf_putc(out, '\n');
}

/* Options of one kind of section that are its own. */
static void print_plain(
	enum option_section kind, const char *indent, const void *base, struct buf *out)
{
	for (size_t i = 0; i < option_count; i++)
		if ((options[i].sections & SECTION_BIT(kind)) != 0 &&
			options[i].field == OPTION_PLAIN)
			print_option(&options[i], indent, base, out);
}

/* The policy options that are set. */
static void print_fields(
	enum option_section kind, const struct policy_fields *fields, struct buf *out)
{
	for (size_t i = 0; i < option_count; i++)
		if ((options[i].sections & SECTION_BIT(kind)) != 0 &&
			options[i].field != OPTION_PLAIN &&
			(fields->set & 1u << options[i].field) != 0)
			print_option(&options[i], "\t", fields, out);
}

static void begin(enum option_section kind, const char *title, struct buf *out)
{
	buf_printf(out, "\n%s ", section_kinds[kind].name);
	if (title != NULL) {
		quoted_print(title, out);
		buf_putc(out, ' ');
	}
	buf_puts(out, "{\n");
}

/* The sections with a title; those of a table are not repeated. */
static void print_entries(
	const struct settings *settings, const struct policy_index *index, struct buf *out)
{
	for (size_t i = 0; i < policy_index_count(index); i++) {
		struct policy_entry entry;
		enum option_section kind;

		policy_index_get(index, i, &entry);
		if (entry.origin.file != settings->path)
			continue;
		if (index == settings->senders)
			kind = SECTION_SENDER;
		else
			kind = strchr(entry.key, '@') != NULL ? SECTION_ADDRESS : SECTION_DOMAIN;
		begin(kind, entry.key, out);
		print_fields(kind, &entry.fields, out);
		buf_puts(out, "}\n");
	}
}

static void print_scorer(const struct scorer_setting *scorer, struct buf *out)
{
	begin(SECTION_SCORER, scorer->name, out);
	for (size_t i = 0; i < option_count; i++)
		if ((options[i].sections & SECTION_BIT(SECTION_SCORER)) != 0 &&
			option_fits(&options[i], scorer->protocol))
			print_option(&options[i], "\t", scorer, out);
	buf_puts(out, "}\n");
}

bool settings_print(const struct settings *settings, struct buf *out)
{
	print_plain(SECTION_TOP, "", settings, out);
	for (size_t i = 0; i < settings->scorer_count; i++)
		print_scorer(&settings->scorers[i], out);
	begin(SECTION_POLICY, NULL, out);
	print_fields(SECTION_POLICY, &settings->policy, out);
	buf_puts(out, "}\n");
	begin(SECTION_OUTBOUND, NULL, out);
	print_plain(SECTION_OUTBOUND, "\t", &settings->outbound, out);
	print_fields(SECTION_OUTBOUND, &settings->outbound.fields, out);
	buf_puts(out, "}\n");
	begin(SECTION_QUARANTINE, NULL, out);
	print_plain(SECTION_QUARANTINE, "\t", &settings->quarantine, out);
	buf_puts(out, "}\n");
	print_entries(settings, settings->index, out);
	print_entries(settings, settings->senders, out);
	return !out->failed;
}
