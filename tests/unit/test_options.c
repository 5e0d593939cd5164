/* SPDX-License-Identifier: BSD-2-Clause */
/* The option table, and that manual page and sample file list the same names and defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "config/checks.h"
#include "config/options.h"
#include "config/settings_private.h"
#include "config/values.h"
#include "protocol/json_verdict.h"
#include "protocol/template.h"

#define MANUAL "src/config/spambridge.conf.5"
#define SAMPLE "contrib/spambridge.conf"

/* A file of the source tree; make check says where that is. */
static void read_source(const char *name, struct buf *ret_text)
{
	const char *top = getenv("srcdir") != NULL ? getenv("srcdir") : ".";
	struct err err = ERR_INIT;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	if (io_read_file(path, 1 << 20, ret_text, &err) != 0)
		fail_msg("%s", err.text);
}

/* Room for any struct that rows point into. */
union any_struct {
	struct settings settings;
	struct scorer_setting scorer;
	struct policy_fields fields;
	struct outbound_setting outbound;
	struct quarantine_setting quarantine;
};

/* The default as it is printed, without quotes: what the documents show. */
static void default_text(const struct option *option, struct buf *out)
{
	union any_struct base = { 0 };
	struct strlist pool = { 0 };
	struct err err = ERR_INIT;

	if (settings_default(option, &base, &pool, &err) != 0)
		fail_msg("default of %s: %s", option->name, err.text);
	buf_init(out, 10000);
	assert_true(value_print(option, &base, out));
	if (option->type == OPTION_NETWORKS)
		network_list_free((void *)((char *)&base + option->offset));
	if (option->type == OPTION_TEXTS)
		strlist_free((void *)((char *)&base + option->offset));
	strlist_free(&pool);
}

static void rows_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];
		struct buf text;

		assert_non_null(option->help);
		assert_true(option->sections != 0 && option->sections < SECTION_BIT(SECTION_COUNT));
		assert_true(option->min <= option->max);
		assert_true(option->type != OPTION_WORD || option->words != NULL);
		assert_true(option->field >= OPTION_PLAIN && option->field < POLICY_FIELD_COUNT);
		default_text(option, &text); /* every default parses */
		buf_free(&text);
		for (size_t j = 0; j < i; j++)
			if (strcmp(options[j].name, option->name) == 0)
				assert_int_equal(options[j].sections & option->sections, 0);
		for (unsigned kind = SECTION_TOP + 1; kind < SECTION_COUNT; kind++)
			if ((option->sections & SECTION_BIT(SECTION_TOP)) != 0)
				assert_string_not_equal(option->name, section_kinds[kind].name);
	}
}

static void every_policy_field_has_one_row(void **state)
{
	(void)state;
	for (int field = 0; field < POLICY_FIELD_COUNT; field++) {
		unsigned rows = 0;

		for (size_t i = 0; i < option_count; i++)
			rows += options[i].field == field;
		assert_int_equal(rows, 1);
	}
}

static void names_are_found_and_suggested(void **state)
{
	static const struct {
		enum option_section section;
		const char *given, *near; /* NULL: nothing near */
	} rows[] = {
		{ SECTION_TOP, "dead-line", "deadline" },
		{ SECTION_TOP, "Listen", "listen" },
		{ SECTION_TOP, "max_scansize", "max_scan_size" },
		{ SECTION_TOP, "polcy", "policy" },
		{ SECTION_TOP, "scorers", "scorer" },
		{ SECTION_TOP, "trusted_network", "trusted_networks" },
		{ SECTION_TOP, "virus_scanner", NULL },
		{ SECTION_TOP, "x", NULL },
		{ SECTION_TOP, "", NULL },
		{ SECTION_SCORER, "server", "servers" },
		{ SECTION_SCORER, "deadline", NULL },
		{ SECTION_POLICY, "rejct", "reject" },
		{ SECTION_TOP, "a_name_that_is_very_much_longer_than_every_name_that_is_known",
			NULL },
	};

	(void)state;
	assert_non_null(option_find(SECTION_TOP, "deadline"));
	assert_null(option_find(SECTION_POLICY, "deadline"));
	assert_null(option_find(SECTION_TOP, "Deadline"));
	assert_int_equal(section_find("outbound"), SECTION_OUTBOUND);
	assert_int_equal(section_find(""), SECTION_COUNT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *near = option_suggest(rows[i].section, rows[i].given);

		if ((near == NULL) != (rows[i].near == NULL) ||
			(near != NULL && strcmp(near, rows[i].near) != 0))
			fail_msg("%s: %s", rows[i].given, near != NULL ? near : "(none)");
	}
}

/* The rest of the line that begins with `start`, from `from` on; the line's start moves there. */
static const char *line_after(const char *from, const char *start, char *rest, size_t size)
{
	size_t length = strlen(start);

	for (; from != NULL && *from != '\0'; from = strchr(from, '\n')) {
		if (*from == '\n')
			from++;
		if (strncmp(from, start, length) != 0)
			continue;
		snprintf(rest, size, "%.*s", (int)strcspn(from + length, "\n"), from + length);
		return from;
	}
	return NULL;
}

/* In the manual every option begins with `.It Ic NAME` and has a line `.Dq Default:` ... */
static void the_manual_lists_the_table(void **state)
{
	struct buf manual;
	const char *at;

	(void)state;
	read_source(MANUAL, &manual);
	at = buf_text(&manual);
	for (size_t i = 0; i < option_count; i++) {
		char name[200], shown[1000], start[100];
		const char *next;
		struct buf text;

		snprintf(start, sizeof(start), ".It Ic %s", options[i].name);
		next = line_after(at, ".It Ic ", name, sizeof(name));
		if (next == NULL || strcmp(name, options[i].name) != 0)
			fail_msg("%s: the next option is %s, not %s", MANUAL,
				next == NULL ? "(none)" : name, options[i].name);
		at = next + 1;
		next = line_after(at, ".Pp\nDefault:\n.Ql ", shown, sizeof(shown));
		if (next == NULL)
			fail_msg("%s: %s has no default", MANUAL, options[i].name);
		next = line_after(next + 4, ".Ql ", shown, sizeof(shown));
		assert_non_null(next);
		default_text(&options[i], &text);
		if (strncmp(shown, buf_text(&text), text.length) != 0 ||
			(shown[text.length] != '\0' && shown[text.length] != ' '))
			fail_msg("%s: default of %s is shown as %s, but is %s", MANUAL,
				options[i].name, shown, buf_text(&text));
		buf_free(&text);
	}
	if (line_after(at, ".It Ic ", (char[200]){ 0 }, 200) != NULL)
		fail_msg("%s has an option behind the last one of the table", MANUAL);
	buf_free(&manual);
}

/* In the sample every option stands once or more as `#name = default`, or set. */
static void the_sample_lists_the_table(void **state)
{
	struct buf sample;

	(void)state;
	read_source(SAMPLE, &sample);
	for (size_t i = 0; i < option_count; i++) {
		bool top = (options[i].sections & SECTION_BIT(SECTION_TOP)) != 0;
		bool set = (options[i].sections & SECTION_BIT(SECTION_SCORER)) != 0 &&
			strcmp(options[i].name, "servers") == 0;
		char line[2000], rest[1000];
		struct buf text;

		default_text(&options[i], &text);
		snprintf(line, sizeof(line), "%s%s = %s",
			top         ? "#" :
				set ? "\t" :
				      "#\t",
			options[i].name, set ? "" : buf_text(&text));
		if (line_after(buf_text(&sample), line, rest, sizeof(rest)) == NULL)
			fail_msg("%s: missing: '%s'", SAMPLE, line);
		buf_free(&text);
	}
	buf_free(&sample);
}

/* Load the sample's text, perhaps with every commented setting made a setting. */
static void load_sample(bool uncommented)
{
	struct config_file file;
	struct strlist errors = { 0 };
	struct settings *settings;
	struct buf sample;

	read_source(SAMPLE, &sample);
	for (size_t i = 0; uncommented && i + 1 < sample.length; i++)
		/* Prose has a blank behind the sign. */
		if (sample.data[i] == '#' && sample.data[i + 1] != ' ' &&
			sample.data[i + 1] != '\n' && (i == 0 || sample.data[i - 1] == '\n'))
			sample.data[i] = ' ';
	config_file_begin(&file);
	settings = load_text(&file, buf_text(&sample), &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	assert_non_null(settings);
	settings_free(&settings);
	strlist_free(&errors);
	config_file_end(&file);
	buf_free(&sample);
}

static void the_sample_is_good(void **state)
{
	(void)state;
	load_sample(false);
	load_sample(true);
}

/* The rule for reject_text is the one that will expand it. */
static void reply_texts_are_checked_as_they_are_expanded(void **state)
{
	static const char *const texts[] = { "plain", "%{score}", "%{required}", "%{id}",
		"%{queue_id}", "%{sender}", "%{recipient}", "%{tests}", "%{test}", "%%", "%", "a%",
		"%%%", "%{", "%{}", "%{score", "%{SCORE}", "100% x", "100%% x", "caf\xc3\xa9",
		"a\tb", "%%{score}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (check_reply_text(texts[i], NULL) != template_check(texts[i], NULL))
			fail_msg("'%s'", texts[i]);
}

/* JSON pointers are checked as they are followed. */
static void pointers_are_checked_as_they_are_followed(void **state)
{
	static const char *const texts[] = { "", "/", "/score", "/a/b/0", "score", "/a~0b", "/a~1b",
		"/a~b", "/~", "/~2", "//", "/caf\xc3\xa9" };
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (check_pointer(texts[i], NULL) != json_pointer_check(texts[i], NULL))
			fail_msg("'%s'", texts[i]);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	for (size_t length = 250; length < 262; length++) {
		longest[length] = '\0';
		assert_int_equal(check_pointer(longest, NULL), json_pointer_check(longest, NULL));
		longest[length] = 'x';
	}
}

static void reply_codes_have_one_class(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "550 5.7.1", true },
		{ "451 4.7.1", true },
		{ "554 5.999.999", true },
		{ "450 4.0.0", true },
		{ "550 4.7.1", false },
		{ "451 5.7.1", false },
		{ "421 4.7.1", false },
		{ "250 2.0.0", false },
		{ "550", false },
		{ "550 ", false },
		{ "550 5.7", false },
		{ "550 5.7.1.", false },
		{ "550 5.7.1 no", false },
		{ "550  5.7.1", false },
		{ " 550 5.7.1", false },
		{ "0550 5.7.1", false },
		{ "55 5.7.1", false },
		{ "600 6.0.0", false },
		{ "550 5.07.1", false },
		{ "550 5.1000.1", false },
		{ "550 5..1", false },
		{ "5.7.1 550", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((check_reply_code(rows[i].text, NULL) == 0) != rows[i].good)
			fail_msg("'%s'", rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(every_policy_field_has_one_row),
		cmocka_unit_test(names_are_found_and_suggested),
		cmocka_unit_test(the_manual_lists_the_table),
		cmocka_unit_test(the_sample_lists_the_table),
		cmocka_unit_test(the_sample_is_good),
		cmocka_unit_test(reply_codes_have_one_class),
		cmocka_unit_test(reply_texts_are_checked_as_they_are_expanded),
		cmocka_unit_test(pointers_are_checked_as_they_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
