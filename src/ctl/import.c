/* SPDX-License-Identifier: BSD-2-Clause */
/* import spamass-milter: its options as a configuration of ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "ctl/migration.h"
#include "ctl/tool.h"
#include "ctl/words.h"

#define DEFAULTS_FILE "/etc/default/spamass-milter"

/* A defaults file, and the configuration made from it, bytes. */
#define FILE_SIZE (1024 * 1024)

/* What Debian's start script and its defaults file know of; texts are borrowed, or NULL. */
struct defaults {
	const char *options, *socket, *owner, *mode;
};

/* `variables` then owns what `defaults` borrows. */
static int read_defaults(
	const char *path, struct strlist *variables, struct defaults *defaults, struct err *err)
{
	struct buf text;
	int result;

	buf_init(&text, FILE_SIZE);
	result = io_read_file(path, FILE_SIZE, &text, err);
	if (result == 0 && !defaults_read(buf_text(&text), variables))
		result = err_set(err, "%s: out of memory", path);
	buf_free(&text);
	if (result != 0)
		return result;
	defaults->options = defaults_value(variables, "OPTIONS");
	defaults->socket = defaults_value(variables, "SOCKET");
	defaults->owner = defaults_value(variables, "SOCKETOWNER");
	defaults->mode = defaults_value(variables, "SOCKETMODE");
	if (defaults->options == NULL)
		return err_set(err, "%s: there is no OPTIONS line", path);
	if (strstr(defaults->options, "${") != NULL || strstr(defaults->options, "$(") != NULL ||
		strchr(defaults->options, '`') != NULL)
		return err_set(err,
			"%s: OPTIONS needs a shell; give what this prints as one argument: "
			"sh -c '. %s; echo \"$OPTIONS\"'",
			path, path);
	return 0;
}

/* Debian's start script passes SOCKET with -p and sets owner and mode afterwards. */
static void apply_defaults(const struct defaults *defaults, struct migration *migration)
{
	const char *group = defaults->owner == NULL ? NULL : strchr(defaults->owner, ':');

	if (migration->listen == NULL)
		migration->listen = defaults->socket;
	if (migration->socket_group == NULL && group != NULL)
		migration->socket_group = group + 1;
	if (migration->socket_mode == NULL)
		migration->socket_mode = defaults->mode;
}

/* A file of our own without a name, so that what is printed is what was checked. */
static int check(const struct buf *text, struct strlist *errors)
{
	AUTO(descriptor_close) int fd = memfd_create("configuration", MFD_CLOEXEC);
	struct settings *settings;
	char path[64];

	if (fd < 0 || fchmod(fd, 0600) != 0 || io_write_all(fd, text->data, text->length) != 0) {
		strlist_add(errors, "it could not be checked");
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	settings = settings_load(path, errors);
	if (settings == NULL)
		return -1;
	settings_free(&settings);
	return 0;
}

static void show(const struct tool *tool, const struct buf *text, const struct migration *migration,
	const struct strlist *errors)
{
	if (tool->json) {
		say_json(json_pack("{s:o, s:o, s:o}", "configuration", json_text(buf_text(text)),
			"without_equivalent", json_texts(&migration->missing), "errors",
			json_texts(errors)));
		return;
	}
	fputs(buf_text(text), stdout);
	for (size_t i = 0; i < migration->missing.count; i++)
		tool_fail("note: %s", migration->missing.items[i]);
}

/* Control characters have no business in options, and none in a terminal. */
static bool is_printable(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool are_printable(const struct strlist *words, const struct defaults *defaults)
{
	for (size_t i = 0; i < words->count; i++)
		if (!is_printable(words->items[i]))
			return false;
	return is_printable(defaults->socket) && is_printable(defaults->owner) &&
		is_printable(defaults->mode);
}

static int convert(
	const struct tool *tool, const struct strlist *words, const struct defaults *defaults)
{
	struct migration migration = { 0 };
	struct strlist errors = { 0 };
	struct err err = ERR_INIT;
	struct buf text;
	int code = EXIT_DONE;

	buf_init(&text, FILE_SIZE);
	if (migration_read(&migration, words, &err) != 0) {
		code = tool_fail("%s", err.text);
	} else {
		apply_defaults(defaults, &migration);
		if (!migration_print(&migration, &text))
			code = tool_fail("out of memory");
		else if (check(&text, &errors) != 0)
			code = EXIT_REFUSED;
		show(tool, &text, &migration, &errors);
		for (size_t i = 0; i < errors.count; i++)
			tool_fail("the result is not a good configuration: %s", errors.items[i]);
	}
	strlist_free(&errors);
	buf_free(&text);
	migration_free(&migration);
	return code;
}

/* From a file, or the words as they stand; one word may be a whole quoted line. */
static int import_words(const struct tool *tool, int argc, char **argv)
{
	struct defaults defaults = { 0 };
	struct strlist variables = { 0 }, words = { 0 };
	struct err err = ERR_INIT;
	bool from_file = argc == 0 || (argc == 1 && argv[0][0] != '-');
	const char *path = argc == 0 ? DEFAULTS_FILE : argv[0];
	int code = EXIT_DONE;

	if (from_file && read_defaults(path, &variables, &defaults, &err) != 0)
		code = tool_fail("%s", err.text);
	else if (from_file && !words_split(defaults.options, &words))
		code = tool_fail("%s: a quote in OPTIONS is not closed", path);
	else if (!from_file && argc == 1 && !words_split(argv[0], &words))
		code = tool_fail("a quote is not closed");
	for (int i = 0; !from_file && argc > 1 && i < argc; i++)
		if (!strlist_add(&words, argv[i]))
			code = tool_fail("out of memory");
	if (code == EXIT_DONE && !are_printable(&words, &defaults))
		code = tool_fail("the options hold a control character");
	if (code == EXIT_DONE)
		code = convert(tool, &words, &defaults);
	strlist_free(&words);
	strlist_free(&variables);
	return code;
}

int command_import(struct tool *tool, int argc, char **argv)
{
	int place = 1;

	/* Only what stands before the filter's name is ours; all behind it is the filter's. */
	for (; place < argc && argv[place][0] == '-'; place++) {
		char *one[] = { argv[0], argv[place], NULL };

		(void)tool_options(tool, 2, one, NULL);
	}
	if (place == argc)
		tool_usage(tool, "from which filter? spamass-milter is known");
	if (strcmp(argv[place], "spamass-milter") != 0)
		tool_usage(tool, "\"%s\" is not known; spamass-milter is", argv[place]);
	place++;
	if (place < argc && strcmp(argv[place], "--json") == 0) {
		tool->json = true;
		place++;
	}
	return import_words(tool, argc - place, argv + place);
}
