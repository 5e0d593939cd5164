/* SPDX-License-Identifier: BSD-2-Clause */
/* postfix enable and disable: this filter in Postfix's smtpd_milters. */
#include <stdio.h>
#include <string.h>

#include "ctl/milter_list.h"
#include "ctl/postconf.h"
#include "ctl/tool.h"

#define NAME "smtpd_milters"

struct change {
	const char *directory; /* NULL: as postconf chooses */
	bool enable;
	bool dry_run;
	struct settings *settings;
	struct buf queue;     /* queue_directory */
	struct buf before;    /* as main.cf has it */
	struct buf effective; /* with $names filled in */
	struct buf after;
	struct buf undo; /* a command line */
	bool was_set;
	struct strlist notes;
};

static void change_init(struct change *change)
{
	struct buf *const all[] = { &change->queue, &change->before, &change->effective,
		&change->after, &change->undo };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		buf_init(all[i], 2 * POSTCONF_VALUE_SIZE);
}

static void change_free(struct change *change)
{
	buf_free(&change->queue);
	buf_free(&change->before);
	buf_free(&change->effective);
	buf_free(&change->after);
	buf_free(&change->undo);
	strlist_free(&change->notes);
	settings_free(&change->settings);
}

/* Append one word as a shell takes it. */
static void put_quoted(struct buf *out, const char *word)
{
	buf_putc(out, '\'');
	for (; *word != '\0'; word++)
		if (*word == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *word);
	buf_putc(out, '\'');
}

static void put_postconf(struct buf *out, const struct change *change)
{
	buf_puts(out, "postconf ");
	if (change->directory == NULL)
		return;
	buf_puts(out, "-c ");
	put_quoted(out, change->directory);
	buf_putc(out, ' ');
}

/* The command that restores what was there. */
static void plan_undo(struct change *change)
{
	struct buf assignment;

	put_postconf(&change->undo, change);
	if (!change->was_set) {
		buf_puts(&change->undo, "-X " NAME);
		return;
	}
	buf_init(&assignment, 2 * POSTCONF_VALUE_SIZE);
	buf_printf(&assignment, NAME " = %s", buf_text(&change->before));
	buf_puts(&change->undo, "-e ");
	put_quoted(&change->undo, buf_text(&assignment));
	buf_free(&assignment);
}

static int look(struct change *change, struct err *err)
{
	if (postconf_value(change->directory, "queue_directory", &change->queue, err) != 0 ||
		postconf_raw(change->directory, NAME, &change->before, err) != 0 ||
		postconf_value(change->directory, NAME, &change->effective, err) != 0)
		return -1;
	change->was_set = postconf_is_set(change->directory, NAME);
	return 0;
}

static int plan_enable(struct change *change)
{
	const struct listen_setting *listen = &change->settings->listen;
	struct buf address;
	bool good;

	if (milter_list_count(buf_text(&change->effective), listen, buf_text(&change->queue)) > 0) {
		buf_puts(&change->after, buf_text(&change->before));
		return 0;
	}
	buf_init(&address, POSTCONF_VALUE_SIZE);
	good = milter_address(listen, buf_text(&change->queue), &address) &&
		milter_list_add(buf_text(&change->before), buf_text(&address), &change->after);
	buf_free(&address);
	return good ? 0 : -1;
}

static int plan_disable(struct change *change, struct err *err)
{
	const struct listen_setting *listen = &change->settings->listen;
	const char *queue = buf_text(&change->queue);

	milter_list_remove(buf_text(&change->before), listen, queue, &change->after);
	if (milter_list_count(buf_text(&change->effective), listen, queue) >
		milter_list_count(buf_text(&change->before), listen, queue))
		return err_set(err,
			"%s = %s names this filter through another parameter: take it out "
			"there by hand",
			NAME, buf_text(&change->before));
	return 0;
}

/* What is not changed and should be known. */
static void take_notes(struct change *change)
{
	struct buf value;

	buf_init(&value, POSTCONF_VALUE_SIZE);
	if (change->enable &&
		postconf_value(change->directory, "milter_default_action", &value, NULL) == 0 &&
		strcmp(buf_text(&value), "tempfail") != 0) {
		struct buf note;

		buf_init(&note, POSTCONF_VALUE_SIZE);
		buf_printf(&note,
			"milter_default_action is %s; only tempfail lets no mail through "
			"unchecked while the daemon is away: ",
			buf_text(&value));
		put_postconf(&note, change);
		buf_puts(&note, "-e 'milter_default_action = tempfail'");
		strlist_add(&change->notes, buf_text(&note));
		buf_free(&note);
	}
	buf_clear(&value);
	if (postconf_services(change->directory, "-P", "*/*/" NAME, &value, NULL) == 0 &&
		value.length > 0) {
		struct buf note;

		buf_init(&note, 2 * POSTCONF_VALUE_SIZE);
		buf_printf(&note,
			"services with filters of their own in master.cf stay as they are: ");
		for (size_t i = 0; i < value.length; i++)
			buf_putc(&note, value.data[i] == '\n' ? ';' : value.data[i]);
		strlist_add(&change->notes, buf_text(&note));
		buf_free(&note);
	}
	buf_free(&value);
}

static bool is_change(const struct change *change)
{
	return strcmp(buf_text(&change->before), buf_text(&change->after)) != 0;
}

static void report_json(const struct change *change)
{
	say_json(json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:o}", "parameter", NAME, "changed",
		is_change(change) && !change->dry_run, "would_change", is_change(change), "before",
		json_text(buf_text(&change->before)), "after", json_text(buf_text(&change->after)),
		"undo", is_change(change) ? json_text(buf_text(&change->undo)) : json_null(),
		"notes", json_texts(&change->notes)));
}

static void report_text(const struct change *change)
{
	if (!is_change(change)) {
		puts(change->enable ? "nothing to do: the filter is in " NAME " already" :
				      "nothing to do: the filter is not in " NAME);
	} else {
		puts(change->dry_run ? "would change " NAME ":" : "changed " NAME ":");
		say_row("  from", buf_text(&change->before));
		say_row("  to", buf_text(&change->after));
		say_row("  undo with", buf_text(&change->undo));
		puts("Postfix takes it over with: postfix reload");
	}
	for (size_t i = 0; i < change->notes.count; i++)
		say_row("note", change->notes.items[i]);
}

static int carry_out(struct change *change, struct err *err)
{
	if (look(change, err) != 0)
		return -1;
	if ((change->enable ? plan_enable(change) : plan_disable(change, err)) != 0)
		return err_set(err, "%s is too long", NAME);
	plan_undo(change);
	take_notes(change);
	if (!is_change(change) || change->dry_run)
		return 0;
	return postconf_set(change->directory, NAME, buf_text(&change->after), err);
}

static int run(const struct tool *tool, struct change *change)
{
	struct err err = ERR_INIT;
	int code = EXIT_DONE;

	change_init(change);
	change->settings = tool_settings(tool);
	if (change->settings == NULL)
		code = EXIT_REFUSED;
	else if (carry_out(change, &err) != 0)
		code = tool_fail("%s", err.text);
	else if (tool->json)
		report_json(change);
	else
		report_text(change);
	change_free(change);
	return code;
}

int command_postfix(struct tool *tool, int argc, char **argv)
{
	struct change change = { 0 };
	const struct tool_option options[] = {
		{ "dry-run", TAKES_NOTHING, &change.dry_run },
		{ "config-dir", TAKES_TEXT, &change.directory },
		{ NULL, TAKES_NOTHING, NULL },
	};
	int first = tool_options(tool, argc, argv, options);

	if (argc - first != 1)
		tool_usage(tool, "enable or disable?");
	if (strcmp(argv[first], "enable") == 0)
		change.enable = true;
	else if (strcmp(argv[first], "disable") != 0)
		tool_usage(tool, "enable or disable, not \"%s\"", argv[first]);
	return run(tool, &change);
}
