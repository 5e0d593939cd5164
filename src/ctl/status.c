/* SPDX-License-Identifier: BSD-2-Clause */
/* status, metrics and reload: the running daemon, over its control socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "config/options.h"
#include "ctl/control_client.h"
#include "ctl/status_report.h"
#include "ctl/tool.h"

/* The daemon serves one client at a time, each for at most five seconds. */
#define ANSWER_MS 10000
/* Reading a large domain table takes its time. */
#define RELOAD_MS 60000

/* How often --watch looks, seconds. */
#define WATCH_SECONDS 2

#define CLEAR_SCREEN "\033[H\033[2J"

/*
 * Where the daemon listens, the caller's; NULL when nowhere. A broken configuration must not keep
 * anybody from looking at the daemon, which runs with the former one.
 */
static char *control_path(const struct tool *tool, const char *given)
{
	struct settings *settings = NULL;
	char *path;

	if (given != NULL)
		return strdup(given);
	settings = tool_settings(tool);
	if (settings == NULL) {
		path = strdup(option_find(SECTION_TOP, "control")->fallback);
		tool_fail("the configuration does not load; trying %s", path);
		return path;
	}
	path = settings->control[0] == '\0' ? NULL : strdup(settings->control);
	if (path == NULL)
		tool_fail("control = \"\": the control socket is switched off in %s", tool->config);
	settings_free(&settings);
	return path;
}

/* Ask, and say why there is no answer. NULL: there is none. */
static json_t *ask(const char *path, const char *command, int64_t timeout_ms)
{
	struct err err = ERR_INIT;
	json_t *answer = control_ask(path, command, deadline_after_ms(timeout_ms), &err);

	if (answer == NULL)
		tool_fail("%s", err.text);
	return answer;
}

/* Did the daemon do it? Its reasons are printed. */
static bool succeeded(const json_t *answer)
{
	const json_t *errors = json_object_get(answer, "errors");

	for (size_t i = 0; i < json_array_size(errors); i++)
		tool_fail("%s", json_string_value(json_array_get(errors, i)));
	return json_is_true(json_object_get(answer, "ok"));
}

static int show_status(const struct tool *tool, const char *path)
{
	json_t *answer = ask(path, "status", ANSWER_MS);
	bool down;

	if (answer == NULL) {
		if (!tool->json)
			say_row("down", "the daemon does not answer");
		return EXIT_TRY_AGAIN;
	}
	if (!succeeded(answer)) {
		json_decref(answer);
		return EXIT_REFUSED;
	}
	down = strcmp(status_health(answer), "down") == 0;
	if (!tool->json) {
		status_print(answer, time(NULL));
		json_decref(answer);
	} else {
		say_json(answer);
	}
	return down ? EXIT_REFUSED : EXIT_DONE;
}

/* Until somebody interrupts it, or nobody reads it any more. */
static int watch(const struct tool *tool, const char *path)
{
	int code;

	do {
		if (!tool->json && isatty(STDOUT_FILENO))
			fputs(CLEAR_SCREEN, stdout);
		code = show_status(tool, path);
		if (!tool->json && !isatty(STDOUT_FILENO))
			putchar('\n');
	} while (fflush(stdout) == 0 && sleep(WATCH_SECONDS) == 0);
	return code;
}

int command_status(struct tool *tool, int argc, char **argv)
{
	bool watching = false;
	const char *socket = NULL;
	const struct tool_option options_here[] = {
		{ "watch", TAKES_NOTHING, &watching },
		{ "socket", TAKES_TEXT, &socket },
		{ NULL, TAKES_NOTHING, NULL },
	};
	char *path;
	int code;

	if (tool_options(tool, argc, argv, options_here) < argc)
		tool_usage(tool, "status takes no operand");
	path = control_path(tool, socket);
	if (path == NULL)
		return EXIT_REFUSED;
	code = watching ? watch(tool, path) : show_status(tool, path);
	free(path);
	return code;
}

/* A command without operands whose answer is printed by `show`. */
static int simple_command(struct tool *tool, int argc, char **argv, int64_t timeout_ms,
	void (*show)(const json_t *answer))
{
	const char *socket = NULL;
	const struct tool_option options_here[] = {
		{ "socket", TAKES_TEXT, &socket },
		{ NULL, TAKES_NOTHING, NULL },
	};
	json_t *answer;
	char *path;
	bool good;

	if (tool_options(tool, argc, argv, options_here) < argc)
		tool_usage(tool, "%s takes no operand", argv[0]);
	path = control_path(tool, socket);
	if (path == NULL)
		return EXIT_REFUSED;
	answer = ask(path, tool->command->name, timeout_ms);
	free(path);
	if (answer == NULL)
		return EXIT_TRY_AGAIN;
	good = succeeded(answer);
	if (good && !tool->json)
		show(answer);
	if (tool->json)
		say_json(json_incref(answer));
	json_decref(answer);
	return good ? EXIT_DONE : EXIT_REFUSED;
}

static void show_metrics(const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "metrics"));

	for (; text != NULL && *text != '\0'; text += strcspn(text, "\n") + 1) {
		char *line = strndup(text, strcspn(text, "\n"));

		if (line != NULL)
			say_untrusted(line);
		putchar('\n');
		free(line);
		if (text[strcspn(text, "\n")] == '\0')
			return;
	}
}

static void show_reload(const json_t *answer)
{
	(void)answer;
	puts("the configuration was read again");
}

int command_metrics(struct tool *tool, int argc, char **argv)
{
	return simple_command(tool, argc, argv, ANSWER_MS, show_metrics);
}

int command_reload(struct tool *tool, int argc, char **argv)
{
	return simple_command(tool, argc, argv, RELOAD_MS, show_reload);
}
