/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool's command line: one table of commands, which also makes --help. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config.h"
#include "ctl/quarantine.h"
#include "ctl/tool.h"

#define DEFAULT_CONFIG SYSCONFDIR "/spambridge.conf"

static const struct command commands[] = {
	{ "check-config", "", "Check the configuration; when it is good, print what is in effect.",
		"spambridgectl check-config", command_check_config },
	{ "show-policy", "[--outbound] ADDRESS...",
		"Show which thresholds apply to a recipient (or own sender), and why.",
		"spambridgectl show-policy alice@example.com", command_show_policy },
	{ "score",
		"[--from A] [--to A]... [--client IP] [--helo H]\n"
		"                     [--name PTR] [--login USER] [--queue-id ID] [--exit-code] "
		"FILE...",
		"Ask the scorers about message files and say what would happen; changes nothing.",
		"spambridgectl score --from news@example.org --to alice@example.com message.eml",
		command_score },
	{ "status", "[--watch] [--socket PATH]", "Show how the running daemon and its scorers are.",
		"spambridgectl status", command_status },
	{ "metrics", "[--socket PATH]", "Show the running daemon's counters.",
		"spambridgectl metrics", command_metrics },
	{ "reload", "[--socket PATH]", "Have the running daemon read its configuration again.",
		"spambridgectl reload", command_reload },
	{ "doctor", "[--config-dir DIR] [--mta-user USER]",
		"Test the whole path from mail server to scorer; each finding comes with its mend.",
		"spambridgectl doctor", command_doctor },
	{ "explain", "[--log FILE] QUEUE-ID", "Tell the story of one message from the log.",
		"spambridgectl explain --log /var/log/mail.log 4ABCDE12345", command_explain },
	{ "what-if", "NEW.conf LOG...",
		"Count by domain what another configuration would do to the messages of a log.",
		"spambridgectl what-if new.conf /var/log/mail.log", command_what_if },
	{ "postfix", "enable|disable [--dry-run] [--config-dir DIR]",
		"Add this filter to Postfix's smtpd_milters, or take it out.",
		"spambridgectl postfix enable --dry-run", command_postfix },
	{ "import", "spamass-milter [FILE|OPTIONS...]",
		"Print the configuration that does what another filter's options do.",
		"spambridgectl import spamass-milter /etc/default/spamass-milter", command_import },
	{ "quarantine", "COMMAND [ARGUMENTS]", "Find, judge, release and remove held mail.",
		"spambridgectl quarantine --help", command_quarantine },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char usage[] = "usage: spambridgectl [-c FILE] COMMAND [--json] [ARGUMENTS]\n";

static int print_help(void)
{
	fputs(usage, stdout);
	printf("\n  -c FILE     the configuration (default: %s)\n"
	       "  --json      print JSON\n"
	       "  -V          print the version and exit\n"
	       "  --help      this text; behind a command: that command's\n\ncommands:\n",
		DEFAULT_CONFIG);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("\n  %s %s\n      %s\n      example: %s\n", commands[i].name,
			commands[i].arguments, commands[i].summary, commands[i].example);
	fputs("\nexit codes: 0 done, 1 refused or failed, 2 usage, 75 try again\n", stdout);
	return EXIT_DONE;
}

static int bad_usage(const char *what, const char *text)
{
	tool_fail("%s%s; see spambridgectl --help", what, text);
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Options before the command. Returns the command's index, or -1 with the exit code set. */
static int leading_options(struct tool *tool, int argc, char **argv, int *ret_code)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			return i;
		if (strcmp(argv[i], "--json") == 0) {
			tool->json = true;
		} else if ((strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) &&
			i + 1 < argc) {
			tool->config = argv[++i];
		} else if (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
			puts("spambridgectl " PACKAGE_VERSION);
			*ret_code = EXIT_DONE;
			return -1;
		} else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			*ret_code = print_help();
			return -1;
		} else {
			*ret_code = bad_usage("unknown option ", argv[i]);
			return -1;
		}
	}
	*ret_code = bad_usage("no command", "");
	return -1;
}

/* What was printed must have arrived: a full disk or a closed pipe is a failure. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	tool_fail("cannot write to standard output");
	return code == EXIT_DONE ? EXIT_REFUSED : code;
}

int main(int argc, char **argv)
{
	struct tool tool = { .config = DEFAULT_CONFIG };
	int code = EXIT_USAGE, place;

	signal(SIGPIPE, SIG_IGN);
	log_setup("spambridgectl", LOG_TARGET_STDERR, LOG_LEVEL_ERROR);
	place = leading_options(&tool, argc, argv, &code);
	if (place < 0)
		return finish(code);
	tool.command = find(argv[place]);
	if (tool.command == NULL)
		return bad_usage("unknown command ", argv[place]);
	return finish(tool.command->run(&tool, argc - place, argv + place));
}
