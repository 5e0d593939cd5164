/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: the story of one message from the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "ctl/program.h"
#include "ctl/story.h"
#include "ctl/tool.h"

/* Most of the journal that is read, bytes; with --grep it is a few lines. */
#define JOURNAL_SIZE (256 * 1024 * 1024)

/* Longest pattern with an id, bytes. */
#define PATTERN_SIZE 4096

/* Debian and its kin, Red Hat and its kin, and what is in use now, before what was rotated. */
static const char *const mail_logs[] = { "/var/log/mail.log", "/var/log/maillog",
	"/var/log/mail.info", "/var/log/syslog", "/var/log/messages", "/var/log/mail.log.1",
	"/var/log/syslog.1" };

struct search {
	const struct tool *tool;
	const char *id;
	unsigned found;
	json_t *stories; /* NULL: print text */
};

static json_t *story_json(const struct log_line *line, const struct strlist *sentences)
{
	json_t *record = json_object();

	for (size_t i = 0; i < line->keys.count; i++)
		json_object_set_new(record, line->keys.items[i],
			log_line_value(line, line->keys.items[i]) == NULL ?
				json_null() :
				json_text(line->values.items[i]));
	return json_pack("{s:o, s:o, s:o}", "logged", json_text(line->logged), "record", record,
		"story", json_texts(sentences));
}

static void show(struct search *search, const struct log_line *line)
{
	struct strlist sentences = { 0 };

	story_tell(line, &sentences);
	if (search->stories != NULL) {
		json_array_append_new(search->stories, story_json(line, &sentences));
	} else {
		if (search->found > 0)
			putchar('\n');
		if (line->logged[0] != '\0')
			say_row("logged", line->logged);
		for (size_t i = 0; i < sentences.count; i++) {
			say_untrusted(sentences.items[i]);
			putchar('\n');
		}
	}
	search->found++;
	strlist_free(&sentences);
}

/* Look at one line; its line end is taken off. */
static void look(struct search *search, char *text)
{
	struct log_line line;
	const char *id;

	text[strcspn(text, "\r\n")] = '\0';
	if (strstr(text, search->id) == NULL || !log_line_parse(text, &line))
		return;
	id = log_line_value(&line, "id");
	if (id != NULL && strcmp(id, search->id) == 0)
		show(search, &line);
	log_line_free(&line);
}

static int search_file(struct search *search, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *line = NULL, words[128];
	size_t size = 0;
	bool failed;

	if (file == NULL)
		return tool_fail("%s: %s", path, err_words(errno, words, sizeof(words)));
	while (getline(&line, &size, file) >= 0)
		look(search, line);
	failed = ferror(file) != 0;
	free(line);
	if (file != stdin)
		fclose(file);
	return failed ? tool_fail("%s: cannot be read", path) : EXIT_DONE;
}

/* Can it stand in a pattern as it is? Queue ids of Postfix and Sendmail can. */
static bool is_plain(const char *id)
{
	return strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
		strlen(id);
}

/* Ask journalctl with two words of our own, NULL for none. 0, or -1 with its words. */
static int ask_journal(
	struct search *search, const char *first, const char *second, struct err *err)
{
	const char *argv[] = { "journalctl", "--no-pager", "--quiet", "-o", "short-iso", "-t",
		"spambridge", first, second, NULL };
	struct buf out;
	int result;

	buf_init(&out, JOURNAL_SIZE);
	result = program_ask(argv, &out, err);
	for (char *line = out.length == 0 ? NULL : out.data, *next; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		look(search, line);
	}
	buf_free(&out);
	/* With a pattern that fits nothing journalctl fails, and says no word. */
	return result == 0 || strstr(err->text, "does not say why") != NULL ? 0 : -1;
}

/*
 * The field is found by an index; what came by syslog has none and is found by its text, or, when
 * the id could not stand in a pattern, by looking at everything.
 */
static int search_journal(struct search *search, struct err *err)
{
	struct buf field, pattern;
	int result;

	if (!is_plain(search->id))
		return ask_journal(search, NULL, NULL, err);
	buf_init(&field, PATTERN_SIZE);
	buf_init(&pattern, PATTERN_SIZE);
	buf_printf(&field, "SPAMBRIDGE_ID=%s", search->id);
	buf_printf(&pattern, "--grep=id=%s ", search->id);
	result = ask_journal(search, buf_text(&field), NULL, err);
	if (result == 0 && search->found == 0)
		result = ask_journal(search, buf_text(&pattern), "--case-sensitive", err);
	buf_free(&field);
	buf_free(&pattern);
	return result;
}

/* The journal, and where that has nothing, the files that syslog daemons write mail logs to. */
static int search_everywhere(struct search *search)
{
	struct err err = ERR_INIT;
	int result = search_journal(search, &err);
	size_t places = sizeof(mail_logs) / sizeof(*mail_logs), readable = 0;

	for (size_t i = 0; i < places && search->found == 0; i++)
		if (access(mail_logs[i], R_OK) == 0) {
			readable++;
			(void)search_file(search, mail_logs[i]);
		}
	if (result != 0 && readable == 0)
		return tool_fail("%s; name the log file with --log", err.text);
	return EXIT_DONE;
}

int command_explain(struct tool *tool, int argc, char **argv)
{
	const char *log = NULL;
	const struct tool_option options[] = {
		{ "log", TAKES_TEXT, &log },
		{ NULL, TAKES_NOTHING, NULL },
	};
	int first = tool_options(tool, argc, argv, options), code;
	struct search search = { .tool = tool };

	if (argc - first != 1 || argv[first][0] == '\0')
		tool_usage(tool, "which message? Give the queue id from the mail server's log");
	search.id = argv[first];
	search.stories = tool_report(tool);
	code = log == NULL ? search_everywhere(&search) : search_file(&search, log);
	if (code == EXIT_DONE && search.found == 0)
		code = tool_fail("there is no line about %s in %s", search.id,
			log == NULL ? "the journal and the mail logs in /var/log" : log);
	if (tool->json)
		say_json(search.stories);
	return code;
}
