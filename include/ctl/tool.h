/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all commands of spambridgectl share: the table that they stand in, options, output.
 *
 * Text that comes from a message, a scorer, a log or another program reaches the terminal only
 * through say_untrusted(), say_row() or JSON; formats are always constants.
 */
#ifndef SPAMBRIDGE_CTL_TOOL_H
#define SPAMBRIDGE_CTL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/strlist.h"
#include "config/settings.h"

/* Exit codes (spambridgectl(1)). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1, /* refused or failed, with one clear line on standard error */
	EXIT_USAGE = 2,
	EXIT_TRY_AGAIN = 75, /* EX_TEMPFAIL of sysexits(3) */
};

struct tool {
	const char *config; /* path of the configuration */
	bool json;
	const struct command *command; /* the one that runs */
};

/* One command: a row of the table in main.c, which also makes --help. */
struct command {
	const char *name;
	const char *arguments; /* as the usage line shows them */
	const char *summary;
	const char *example;                                  /* a whole command line */
	int (*run)(struct tool *tool, int argc, char **argv); /* argv[0] is the command's name */
};

/* The commands, one file for each group. */
int command_check_config(struct tool *tool, int argc, char **argv);
int command_show_policy(struct tool *tool, int argc, char **argv);
int command_score(struct tool *tool, int argc, char **argv);
int command_status(struct tool *tool, int argc, char **argv);
int command_metrics(struct tool *tool, int argc, char **argv);
int command_reload(struct tool *tool, int argc, char **argv);
int command_postfix(struct tool *tool, int argc, char **argv);
int command_import(struct tool *tool, int argc, char **argv);
int command_doctor(struct tool *tool, int argc, char **argv);
int command_explain(struct tool *tool, int argc, char **argv);
int command_what_if(struct tool *tool, int argc, char **argv);

enum tool_option_kind {
	TAKES_NOTHING, /* value: bool * */
	TAKES_TEXT,    /* value: const char ** */
	TAKES_LIST,    /* value: struct strlist *; may be given several times */
};

/* A long option of a command; an array of them ends with a NULL name. */
struct tool_option {
	const char *name;
	enum tool_option_kind kind;
	void *value;
};

/* Most options of one command. */
#define TOOL_OPTIONS_MAX 24

/*
 * Read a command's options, in any place among the operands, besides --json, --config and --help
 * that every command has. `options` may be NULL. Returns the index of the first operand; ends the
 * program on --help (0) and on a usage error (2).
 */
int tool_options(struct tool *tool, int argc, char **argv, const struct tool_option *options);

/* Say how the command is called, after one line of what is wrong, and end the program with 2. */
void tool_usage(const struct tool *tool, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* One line on standard error, safe for a terminal. Returns EXIT_REFUSED. */
int tool_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Load the tool's configuration; NULL after its errors were printed to standard error. */
struct settings *tool_settings(const struct tool *tool);

/* Print text to standard output through encode_terminal(); the second one a whole line of
 * "label value", the label padded. */
void say_untrusted(const char *text);
void say_row(const char *label, const char *value);

/* Append " (one; two)" for texts that say more of something; nothing for none. */
void put_aside(struct buf *out, const struct strlist *texts);

/*
 * Print a JSON value (which is released) and a newline. Text is ASCII, all else is escaped. Ends the
 * program with EXIT_REFUSED when there is no memory for it, which a NULL value tells.
 */
void say_json(json_t *value);

/* The same without newline and release, laid out by jansson's `flags`. */
void print_json_value(const json_t *value, size_t flags);

/*
 * An empty array for what --json prints, which the caller releases or gives to say_json(); NULL where
 * text is wanted. Ends the program like say_json().
 */
json_t *tool_report(const struct tool *tool);

/* A JSON string of any bytes; null for NULL. */
json_t *json_text(const char *text);

/* A score as a JSON number with up to three decimals, null for THRESHOLD_OFF. */
json_t *json_score(int32_t milli);

/* An array of strings. */
json_t *json_texts(const struct strlist *list);

#endif
