/* SPDX-License-Identifier: BSD-2-Clause */
/* What all commands of spambridgectl share. */
#include "ctl/tool.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/score.h"

/* Longest line that tool_fail() writes, bytes. */
#define LINE_SIZE 4096

/* Longest text that is shown in one piece, bytes. */
#define SHOWN_SIZE (16 * 1024 * 1024)

/* Return values of getopt_long() for the options that every command has. */
enum {
	COMMON_JSON = 'j',
	COMMON_CONFIG = 'c',
	COMMON_HELP = 'h',
	OWN_FIRST = 256,
};

static void print_safely(FILE *stream, const char *text)
{
	struct buf safe;

	buf_init(&safe, SHOWN_SIZE);
	encode_terminal(&safe, text, strlen(text));
	fputs(buf_text(&safe), stream);
	buf_free(&safe);
}

__attribute__((format(printf, 1, 0))) static void fail(const char *format, va_list arguments)
{
	char line[LINE_SIZE];

	vsnprintf(line, sizeof(line), format, arguments);
	fflush(stdout);
	fputs("spambridgectl: ", stderr);
	print_safely(stderr, line);
	fputc('\n', stderr);
}

int tool_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fail(format, arguments);
	va_end(arguments);
	return EXIT_REFUSED;
}

static void print_usage(FILE *stream, const struct command *command)
{
	fprintf(stream, "usage: spambridgectl [-c FILE] %s [--json]%s%s\n", command->name,
		command->arguments[0] == '\0' ? "" : " ", command->arguments);
}

void tool_usage(const struct tool *tool, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fail(format, arguments);
	va_end(arguments);
	print_usage(stderr, tool->command);
	exit(EXIT_USAGE);
}

static void help(const struct tool *tool)
{
	print_usage(stdout, tool->command);
	printf("\n%s\n\nexample:\n  %s\n", tool->command->summary, tool->command->example);
	exit(EXIT_DONE);
}

/* The command's own options behind those that all have; `table` is all-zero. */
static void fill_table(struct option *table, const struct tool_option *options)
{
	size_t count = 0;

	table[count++] = (struct option){ "json", no_argument, NULL, COMMON_JSON };
	table[count++] = (struct option){ "config", required_argument, NULL, COMMON_CONFIG };
	table[count++] = (struct option){ "help", no_argument, NULL, COMMON_HELP };
	for (size_t i = 0; options != NULL && options[i].name != NULL; i++)
		table[count++] = (struct option){ options[i].name,
			options[i].kind == TAKES_NOTHING ? no_argument : required_argument, NULL,
			OWN_FIRST + (int)i };
}

static void take(const struct tool *tool, const struct tool_option *option, const char *argument)
{
	switch (option->kind) {
	case TAKES_NOTHING:
		*(bool *)option->value = true;
		break;
	case TAKES_TEXT:
		if (*(const char **)option->value != NULL)
			tool_usage(tool, "--%s is given twice", option->name);
		*(const char **)option->value = argument;
		break;
	case TAKES_LIST:
		if (!strlist_add(option->value, argument))
			tool_usage(tool, "out of memory");
		break;
	}
}

int tool_options(struct tool *tool, int argc, char **argv, const struct tool_option *options)
{
	struct option table[TOOL_OPTIONS_MAX + 4] = { 0 };
	int found;

	fill_table(table, options);
	opterr = 0;
	optind = 0;
	while ((found = getopt_long(argc, argv, ":c:h", table, NULL)) != -1) {
		if (found == COMMON_JSON)
			tool->json = true;
		else if (found == COMMON_CONFIG)
			tool->config = optarg;
		else if (found == COMMON_HELP)
			help(tool);
		else if (found == ':')
			tool_usage(tool, "%s wants a value", argv[optind - 1]);
		else if (found == '?')
			tool_usage(tool, "unknown option %s", argv[optind - 1]);
		else
			take(tool, &options[found - OWN_FIRST], optarg);
	}
	return optind;
}

struct settings *tool_settings(const struct tool *tool)
{
	struct strlist errors = { 0 };
	struct settings *settings = settings_load(tool->config, &errors);

	for (size_t i = 0; i < errors.count; i++)
		tool_fail("%s", errors.items[i]);
	if (settings == NULL && errors.count == 0)
		tool_fail("%s: out of memory", tool->config);
	strlist_free(&errors);
	return settings;
}

void say_untrusted(const char *text)
{
	print_safely(stdout, text);
}

void say_row(const char *label, const char *value)
{
	printf("%-14s ", label);
	say_untrusted(value == NULL || value[0] == '\0' ? "-" : value);
	putchar('\n');
}

void put_aside(struct buf *out, const struct strlist *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		buf_printf(out, "%s%s", i == 0 ? " (" : "; ", texts->items[i]);
	if (texts->count > 0)
		buf_putc(out, ')');
}

/* jansson escapes controls and what is not ASCII, but DEL is neither to it. */
static int put_json(const char *bytes, size_t length, void *context)
{
	(void)context;
	for (size_t i = 0; i < length; i++)
		if (bytes[i] == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(bytes[i]);
	return ferror(stdout) ? -1 : 0;
}

static void end_without_memory(void)
{
	tool_fail("out of memory");
	exit(EXIT_REFUSED);
}

void print_json_value(const json_t *value, size_t flags)
{
	flags |= JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12);
	/* Else half an object, or none since there was no memory to put it together. */
	if (json_dump_callback(value, put_json, NULL, flags) != 0 && !ferror(stdout))
		end_without_memory();
}

void say_json(json_t *value)
{
	print_json_value(value, JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
}

json_t *tool_report(const struct tool *tool)
{
	json_t *report = tool->json ? json_array() : NULL;

	if (tool->json && report == NULL)
		end_without_memory();
	return report;
}

json_t *json_text(const char *text)
{
	struct buf valid;
	json_t *string;

	if (text == NULL)
		return json_null();
	buf_init(&valid, SHOWN_SIZE);
	encode_utf8(&valid, text, strlen(text));
	string = json_stringn(buf_text(&valid), valid.length);
	buf_free(&valid);
	return string;
}

json_t *json_score(int32_t milli)
{
	return milli == THRESHOLD_OFF ? json_null() : json_real(milli / 1000.0);
}

json_t *json_texts(const struct strlist *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_text(list->items[i]));
	return array;
}
