/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: tests the whole path from the mail server to the scorers. */
#include "ctl/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

#define TEXT_SIZE 2048

static const char *const words[] = {
	[DIAGNOSIS_GOOD] = "good",
	[DIAGNOSIS_NOTE] = "note",
	[DIAGNOSIS_FINDING] = "finding",
};

const char *doctor_mend(char *buffer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(buffer, MEND_SIZE, format, arguments);
	va_end(arguments);
	return buffer;
}

void doctor_say(
	struct doctor *doctor, enum diagnosis diagnosis, const char *mend, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	doctor->findings += diagnosis == DIAGNOSIS_FINDING;
	if (doctor->report != NULL) {
		json_array_append_new(doctor->report,
			json_pack("{s:s, s:o, s:o}", "diagnosis", words[diagnosis], "text",
				json_text(text), "mend", json_text(mend)));
		return;
	}
	say_row(words[diagnosis], text);
	if (mend != NULL)
		say_row("  mend with", mend);
	fflush(stdout);
}

/* Without a good configuration there is nothing else to look at. */
static bool check_config(struct doctor *doctor)
{
	struct strlist errors = { 0 };
	const char *path = doctor->tool->config;
	char mend[MEND_SIZE];

	doctor->settings = settings_load(path, &errors);
	for (size_t i = 0; i < errors.count; i++)
		doctor_say(doctor, DIAGNOSIS_FINDING,
			i + 1 < errors.count ? NULL : doctor_mend(mend, "editor '%s'", path), "%s",
			errors.items[i]);
	if (doctor->settings == NULL && errors.count == 0)
		doctor_say(doctor, DIAGNOSIS_FINDING, NULL, "%s: out of memory", path);
	strlist_free(&errors);
	if (doctor->settings != NULL)
		doctor_say(doctor, DIAGNOSIS_GOOD, NULL, "the configuration %s", path);
	return doctor->settings != NULL;
}

static int finish(struct doctor *doctor)
{
	settings_free(&doctor->settings);
	if (doctor->report != NULL)
		say_json(json_pack("{s:b, s:i, s:o}", "healthy", doctor->findings == 0, "findings",
			(int)doctor->findings, "report", doctor->report));
	else if (doctor->findings == 0)
		puts("no findings");
	else
		printf("%u finding%s\n", doctor->findings, doctor->findings == 1 ? "" : "s");
	return doctor->findings == 0 ? EXIT_DONE : EXIT_REFUSED;
}

int command_doctor(struct tool *tool, int argc, char **argv)
{
	struct doctor doctor = { .tool = tool };
	const struct tool_option options[] = {
		{ "config-dir", TAKES_TEXT, &doctor.config_dir },
		{ "mta-user", TAKES_TEXT, &doctor.mta_user },
		{ NULL, TAKES_NOTHING, NULL },
	};

	if (tool_options(tool, argc, argv, options) < argc)
		tool_usage(tool, "doctor takes no operand");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return tool_fail("libcurl does not start");
	doctor.report = tool_report(tool);
	if (check_config(&doctor)) {
		doctor_check_host(&doctor);
		doctor_check_daemon(&doctor);
		doctor_check_scorers(&doctor);
		doctor_check_postfix(&doctor);
	}
	curl_global_cleanup();
	return finish(&doctor);
}
