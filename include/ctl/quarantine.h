/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of "spambridgectl quarantine" share. */
#ifndef SPAMBRIDGE_CTL_QUARANTINE_H
#define SPAMBRIDGE_CTL_QUARANTINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "ctl/tool.h"
#include "quarantine/catalogue.h"
#include "quarantine/directory.h"
#include "quarantine/list.h"
#include "quarantine/review.h"
#include "quarantine/stored.h"

/* Letters of an id that lists show: enough to be unique among millions. */
#define SHORT_ID 10

/* "quarantine": finds the command below and runs it. */
int command_quarantine(struct tool *tool, int argc, char **argv);

/* One for each command: its arguments with its name first; returns the exit status. */
int quarantine_list(struct tool *tool, int argc, char **argv);
int quarantine_search(struct tool *tool, int argc, char **argv);
int quarantine_show(struct tool *tool, int argc, char **argv);
int quarantine_release(struct tool *tool, int argc, char **argv);
int quarantine_delete(struct tool *tool, int argc, char **argv);
int quarantine_learn(struct tool *tool, int argc, char **argv);
int quarantine_expire(struct tool *tool, int argc, char **argv);
int quarantine_verify(struct tool *tool, int argc, char **argv);
int quarantine_stats(struct tool *tool, int argc, char **argv);
int quarantine_digest(struct tool *tool, int argc, char **argv);

/* The quarantine as a command sees it. */
struct desk {
	struct settings *settings; /* NULL when --directory was enough */
	const char *path;          /* borrowed */
	struct directory directory;
	char reviewer[64]; /* login name of whoever runs the tool */
};

/*
 * Open the directory that --directory names (may be NULL) or the configuration. With
 * `need_settings` the configuration is read in any case. Returns an exit code; the desk is to be
 * closed when it is EXIT_DONE. Commands that change something also start the audit log.
 */
int desk_open(struct tool *tool, struct desk *desk, const char *path, enum directory_use use,
	bool need_settings);
void desk_close(struct desk *desk);

/* Ask on the terminal, unless `yes`; without a terminal to ask on the answer is no, with a word. */
bool desk_confirm(bool yes, const char *question, size_t count);

/* More items than this at once are a mass action, which is asked about. */
#define MASS_ACTION 10

/*
 * Read the options of a command that takes ids; without any it ends the program. More than
 * MASS_ACTION are asked about. Returns the index of the first id, or -1 when that is not wanted.
 */
int desk_ids(struct tool *tool, int argc, char **argv, const struct tool_option *options,
	const bool *yes, const char *question);

/*
 * Progress on standard error when that is a terminal: call often, end with `done` == `total`. Hide
 * it before anything else is printed; it comes back by itself.
 */
void desk_progress(const char *what, size_t done, size_t total);
void desk_progress_hide(void);

/* The same for struct list_filter; its context is a constant `what`. */
bool desk_list_progress(size_t done, size_t total, void *what);

/*
 * Open the item whose id begins with `prefix`, with a line on standard error unless STORED_GOOD.
 * Strange, gone and unreadable items are closed; damaged ones stay open.
 */
enum stored_result desk_item(const struct desk *desk, const struct catalogue *catalogue,
	const char *prefix, struct stored *ret);

/* "2026-01-31 13:05" in local time. Returns `text`. */
#define DAY_TIME_SIZE 32
const char *day_time(int64_t time_s, char text[DAY_TIME_SIZE]);

/* An item for JSON: its metadata, size, result and the state of each recipient. */
json_t *item_as_json(const struct stored *stored, enum stored_result result,
	const struct review *review, const char *trouble);

/* A subject or From for people: encoded words decoded. The caller frees; "" for NULL. */
char *readable(const char *text);

/* Seconds of "30d", "12h" ... (value_duration syntax), or false. */
bool parse_age(const char *text, int64_t *ret_s);

/*
 * Filters of list, search and expire: options for tool_options() and what they fill. `options` has
 * FILTER_OPTIONS places.
 */
#define FILTER_OPTIONS 9
struct filter_words {
	const char *domain, *to, *from, *subject, *since, *before, *score, *state, *limit;
};
void filter_options(struct filter_words *words, struct tool_option *options);

/* Ends the program on a usage error. */
void filter_take(
	const struct tool *tool, const struct filter_words *words, struct list_filter *ret_filter);

#endif
