/* SPDX-License-Identifier: BSD-2-Clause */
/* what-if: what another configuration would change, by the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/limits.h"
#include "ctl/tool.h"
#include "ctl/what_if.h"

static int read_log(struct what_if *what_if, FILE *file)
{
	char *text = NULL;
	size_t size = 0;
	bool good = true;

	while (good && getline(&text, &size, file) >= 0) {
		struct log_line line;

		text[strcspn(text, "\r\n")] = '\0';
		if (!log_line_parse(text, &line))
			continue;
		good = what_if_judge(what_if, &line);
		log_line_free(&line);
	}
	free(text);
	if (!good)
		return tool_fail("out of memory");
	return EXIT_DONE;
}

static int read_file(struct what_if *what_if, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char words[128];
	int code;

	if (file == NULL)
		return tool_fail("%s: %s", path, err_words(errno, words, sizeof(words)));
	code = read_log(what_if, file);
	if (ferror(file) != 0)
		code = tool_fail("%s: cannot be read", path);
	if (file != stdin)
		fclose(file);
	return code;
}

/* Numbers of the domains: most changes first, then by name. */
struct ranked {
	const struct what_if *what_if;
	size_t number;
	size_t changes;
};

static int by_changes(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	if (left->changes != right->changes)
		return left->changes > right->changes ? -1 : 1;
	return strcmp(key_set_get(&left->what_if->names, left->number),
		key_set_get(&right->what_if->names, right->number));
}

static struct ranked *rank(const struct what_if *what_if)
{
	struct ranked *ranks = calloc(what_if->names.count + 1, sizeof(*ranks));

	for (size_t i = 0; ranks != NULL && i < what_if->names.count; i++)
		ranks[i] = (struct ranked){ what_if, i, what_if_changes(&what_if->domains[i]) };
	if (ranks != NULL)
		qsort(ranks, what_if->names.count, sizeof(*ranks), by_changes);
	return ranks;
}

static void print_changes(const struct what_if_domain *domain)
{
	const char *separator = "  ";

	for (size_t was = 0; was < WHAT_IF_ACTIONS; was++)
		for (size_t will = 0; will < WHAT_IF_ACTIONS; will++) {
			if (was == will || domain->counts[was][will] == 0)
				continue;
			printf("%s%s to %s %zu", separator, what_if_action(was),
				what_if_action(will), domain->counts[was][will]);
			separator = ", ";
		}
	putchar('\n');
}

static void print_text(const struct what_if *what_if, const struct ranked *ranks)
{
	size_t messages = 0, changes = 0, unchanged = 0;

	printf("%-30s %9s %9s\n", "domain", "messages", "changed");
	for (size_t i = 0; i < what_if->names.count; i++) {
		const struct what_if_domain *domain = &what_if->domains[ranks[i].number];
		size_t own = what_if_messages(domain);
		struct buf name;

		messages += own;
		changes += ranks[i].changes;
		unchanged += ranks[i].changes == 0;
		if (ranks[i].changes == 0)
			continue;
		buf_init(&name, 4 * LIMIT_LOG_RECORD);
		encode_terminal(&name, key_set_get(&what_if->names, ranks[i].number),
			strlen(key_set_get(&what_if->names, ranks[i].number)));
		printf("%-30s %9zu %9zu", buf_text(&name), own, ranks[i].changes);
		print_changes(domain);
		buf_free(&name);
	}
	printf("%-30s %9zu %9zu\n", "all", messages, changes);
	printf("\ndomains without a change: %zu\n", unchanged);
	printf("not judged, several recipients: %zu\n", what_if->several);
	printf("not judged, no score in the log: %zu\n", what_if->unknown);
}

static json_t *changes_json(const struct what_if_domain *domain)
{
	json_t *changes = json_array();

	for (size_t was = 0; was < WHAT_IF_ACTIONS; was++)
		for (size_t will = 0; will < WHAT_IF_ACTIONS; will++)
			if (was != will && domain->counts[was][will] > 0)
				json_array_append_new(changes,
					json_pack("{s:s, s:s, s:I}", "from", what_if_action(was),
						"to", what_if_action(will), "messages",
						(json_int_t)domain->counts[was][will]));
	return changes;
}

static void print_json(const struct what_if *what_if, const struct ranked *ranks)
{
	json_t *domains = json_array();

	for (size_t i = 0; i < what_if->names.count; i++) {
		const struct what_if_domain *domain = &what_if->domains[ranks[i].number];

		json_array_append_new(domains,
			json_pack("{s:o, s:I, s:I, s:o}", "domain",
				json_text(key_set_get(&what_if->names, ranks[i].number)),
				"messages", (json_int_t)what_if_messages(domain), "changed",
				(json_int_t)ranks[i].changes, "changes", changes_json(domain)));
	}
	say_json(json_pack("{s:o, s:I, s:I}", "domains", domains, "several_recipients",
		(json_int_t)what_if->several, "no_score", (json_int_t)what_if->unknown));
}

static int report(const struct tool *tool, const struct what_if *what_if)
{
	struct ranked *ranks = rank(what_if);

	if (ranks == NULL)
		return tool_fail("out of memory");
	if (tool->json)
		print_json(what_if, ranks);
	else
		print_text(what_if, ranks);
	free(ranks);
	return EXIT_DONE;
}

int command_what_if(struct tool *tool, int argc, char **argv)
{
	int first = tool_options(tool, argc, argv, NULL), code = EXIT_DONE;
	struct tool other = *tool;
	struct settings *settings;
	struct what_if what_if;

	if (argc - first < 2)
		tool_usage(tool,
			"give the other configuration, then log files (- for standard input)");
	other.config = argv[first];
	settings = tool_settings(&other);
	if (settings == NULL)
		return EXIT_REFUSED;
	if (!what_if_init(&what_if, settings))
		code = tool_fail("out of memory");
	for (int i = first + 1; code == EXIT_DONE && i < argc; i++)
		code = read_file(&what_if, argv[i]);
	if (code == EXIT_DONE)
		code = report(tool, &what_if);
	what_if_free(&what_if);
	settings_free(&settings);
	return code;
}
