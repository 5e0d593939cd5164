/* SPDX-License-Identifier: BSD-2-Clause */
/* Text to value and back: units, words, ranges, addresses. Traps 26, 27, 32, 73. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "config/endpoint.h"
#include "config/settings.h"
#include "config/values.h"

#define BAD INT64_MIN

static void durations_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
		const char *printed;
	} rows[] = {
		{ "0", 0, "0" },
		{ "1ms", 1, "1ms" },
		{ "1s", 1000, "1s" },
		{ "20s", 20000, "20s" },
		{ "90s", 90000, "90s" },
		{ "60s", 60000, "1m" },
		{ "14d", 1209600000, "14d" },
		{ "36h", 129600000, "36h" },
		{ "24H", 86400000, "1d" },
		{ "1500ms", 1500, "1500ms" },
		{ "20", BAD, "" },
		{ "s", BAD, "" },
		{ "", BAD, "" },
		{ "-1s", BAD, "" },
		{ "1.5s", BAD, "" },
		{ "1 s", BAD, "" },
		{ "1x", BAD, "" },
		{ "1sm", BAD, "" },
		{ "+1s", BAD, "" },
		{ "0x10s", BAD, "" },
		{ "9223372036854775807d", BAD, "" },
		{ "99999999999999999999s", BAD, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = BAD;
		struct buf out;

		assert_int_equal(duration_parse(rows[i].text, &ms), rows[i].ms != BAD);
		assert_true(ms == rows[i].ms);
		if (ms == BAD)
			continue;
		buf_init(&out, 100);
		assert_true(duration_print(ms, &out));
		assert_string_equal(buf_text(&out), rows[i].printed);
		buf_free(&out);
	}
}

static void sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
		const char *printed;
	} rows[] = {
		{ "0", 0, "0" },
		{ "1", 1, "1" },
		{ "1023", 1023, "1023" },
		{ "1K", 1024, "1K" },
		{ "512k", 524288, "512K" },
		{ "1024K", 1048576, "1M" },
		{ "10G", 10737418240, "10G" },
		{ "1536K", 1572864, "1536K" },
		{ "K", BAD, "" },
		{ "1KB", BAD, "" },
		{ "-1K", BAD, "" },
		{ "1.5M", BAD, "" },
		{ "1T", BAD, "" },
		{ "9223372036854775807G", BAD, "" },
		{ "", BAD, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t bytes = BAD;
		struct buf out;

		assert_int_equal(size_parse(rows[i].text, &bytes), rows[i].bytes != BAD);
		assert_true(bytes == rows[i].bytes);
		if (bytes == BAD)
			continue;
		buf_init(&out, 100);
		assert_true(size_print(bytes, &out));
		assert_string_equal(buf_text(&out), rows[i].printed);
		buf_free(&out);
	}
}

static void booleans_have_six_words(void **state)
{
	static const struct {
		const char *text;
		int value; /* -1: none */
	} rows[] = { { "true", 1 }, { "YES", 1 }, { "On", 1 }, { "false", 0 }, { "no", 0 },
		{ "off", 0 }, { "1", -1 }, { "0", -1 }, { "", -1 }, { "truely", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool value = true;

		assert_int_equal(bool_parse(rows[i].text, &value), rows[i].value >= 0);
		if (rows[i].value >= 0)
			assert_int_equal(value, rows[i].value);
	}
}

/* Every struct that a row may point into, in one. */
struct everything {
	union {
		struct settings settings;
		struct scorer_setting scorer;
		struct policy_fields fields;
		struct outbound_setting outbound;
	} at;
};

static void options_say_what_is_wrong(void **state)
{
	static const struct {
		enum option_section section;
		const char *name, *text, *error; /* error: NULL when good, else a part of it */
	} rows[] = {
		{ SECTION_TOP, "deadline", "100ms", NULL },
		{ SECTION_TOP, "deadline", "280s", NULL },
		{ SECTION_TOP, "deadline", "99ms", "99ms is out of range; write 100ms to 280s" },
		{ SECTION_TOP, "deadline", "281s", "out of range" },
		{ SECTION_TOP, "deadline", "off", "is not understood" },
		{ SECTION_TOP, "late_verdicts", "off", NULL },
		{ SECTION_TOP, "late_verdicts", "0", "write 1m to 7d or off" },
		{ SECTION_TOP, "max_scan_size", "1023", "write 1K to 1G" },
		{ SECTION_TOP, "max_sessions", "0", "write 1 to 100000" },
		{ SECTION_TOP, "max_sessions", "5.0", "write a whole number" },
		{ SECTION_TOP, "max_sessions", "-5", "write a whole number" },
		{ SECTION_TOP, "socket_mode", "0660", NULL },
		{ SECTION_TOP, "socket_mode", "660", NULL },
		{ SECTION_TOP, "socket_mode", "1777", "write \"0000\" to \"0777\"" },
		{ SECTION_TOP, "socket_mode", "0888", "octal" },
		{ SECTION_TOP, "log", "JOURNAL", NULL },
		{ SECTION_TOP, "log", "file", "write one of auto, stderr, syslog, journal" },
		{ SECTION_TOP, "oversize", "drop", "write one of head, pass, " },
		{ SECTION_TOP, "user", "", "is empty" },
		{ SECTION_TOP, "user", "root", "does not run as root" },
		{ SECTION_TOP, "user", "0", "is no account name" },
		{ SECTION_TOP, "user", "a b", "is no account name" },
		{ SECTION_TOP, "user", "a123456789012345678901234567890123", "at most 32" },
		{ SECTION_TOP, "socket_group", "", NULL },
		{ SECTION_TOP, "control", "", NULL },
		{ SECTION_TOP, "control", "run/x", "begin it with '/'" },
		{ SECTION_TOP, "temp_directory", "", "is empty" },
		{ SECTION_TOP, "temp_directory", "tmp", "begin it with '/'" },
		{ SECTION_TOP, "recipient_delimiter", "+-", NULL },
		{ SECTION_TOP, "recipient_delimiter", "@", "cannot separate" },
		{ SECTION_TOP, "recipient_delimiter", "x", "cannot separate" },
		{ SECTION_TOP, "skip_authenticated", "maybe", "write true or false" },
		{ SECTION_TOP, "trusted_networks", "10.0.0.1/8", "write 10.0.0.0/8" },
		{ SECTION_SCORER, "hedge_after", "half", NULL },
		{ SECTION_SCORER, "hedge_after", "off", NULL },
		{ SECTION_SCORER, "hedge_after", "1s", NULL },
		{ SECTION_SCORER, "hedge_after", "0", "write 10ms to 280s or half or off" },
		{ SECTION_SCORER, "user", "recipient", NULL },
		{ SECTION_SCORER, "user", "a b", "without blanks" },
		{ SECTION_SCORER, "user", "a\r\nX: y", "without blanks" },
		{ SECTION_POLICY, "tag", "5", NULL },
		{ SECTION_POLICY, "tag", "-0.5", NULL },
		{ SECTION_POLICY, "tag", "OFF", NULL },
		{ SECTION_POLICY, "tag", "5,0", "write a score such as 5.0, or off" },
		{ SECTION_POLICY, "tag", "1e3", "write a score" },
		{ SECTION_POLICY, "tag", "nan", "write a score" },
		{ SECTION_POLICY, "tag", "1000.1", "write -1000.0 to 1000.0 or off" },
		{ SECTION_POLICY, "reject_text", "100%% spam, %{score} of %{required} (%{id})",
			NULL },
		{ SECTION_POLICY, "reject_text", "x %{foo}", "unknown reference at '%{foo}'" },
		{ SECTION_POLICY, "reject_text", "100% spam", "unknown reference at '% spam'" },
		{ SECTION_POLICY, "reject_text", "x %{score", "unknown reference" },
		{ SECTION_POLICY, "reject_text", "caf\xc3\xa9", "printable ASCII" },
		{ SECTION_POLICY, "reject_text", "a\nb", "printable ASCII" },
		{ SECTION_POLICY, "reject_text", "", "is empty" },
		{ SECTION_POLICY, "on_failure", "reject", "write one of accept, tempfail" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct option *option = option_find(rows[i].section, rows[i].name);
		struct everything base = { 0 };
		struct strlist pool = { 0 };
		struct err err = ERR_INIT;
		int result;

		assert_non_null(option);
		result = value_parse(option, rows[i].text, &base, &pool, &err);
		if (rows[i].error == NULL && result != 0)
			fail_msg("%s = %s: %s", rows[i].name, rows[i].text, err.text);
		if (rows[i].error != NULL && strstr(err.text, rows[i].error) == NULL)
			fail_msg("%s = %s: '%s'", rows[i].name, rows[i].text, err.text);
		assert_int_equal(result, rows[i].error == NULL ? 0 : -1);
		network_list_free(&base.at.settings.trusted_networks);
		strlist_free(&pool);
	}
}

static void thresholds_keep_thousandths(void **state)
{
	static const struct {
		const char *text;
		int32_t milli;
		const char *printed;
	} rows[] = { { "5", 5000, "5.0" }, { "4.9", 4900, "4.9" }, { "-0.5", -500, "-0.5" },
		{ "7.25", 7250, "7.25" }, { "0.125", 125, "0.125" },
		{ "off", THRESHOLD_OFF, "off" } };
	const struct option *option = option_find(SECTION_POLICY, "reject");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_fields fields = { 0 };
		struct buf out;

		assert_int_equal(value_parse(option, rows[i].text, &fields, NULL, NULL), 0);
		assert_int_equal(fields.reject, rows[i].milli);
		buf_init(&out, 100);
		assert_true(value_print(option, &fields, &out));
		assert_string_equal(buf_text(&out), rows[i].printed);
		buf_free(&out);
	}
}

static void listen_addresses(void **state)
{
	static const struct {
		const char *text;
		int family; /* -1: refused */
		const char *where;
		uint16_t port;
	} rows[] = {
		{ "unix:/run/x.sock", LISTEN_UNIX, "/run/x.sock", 0 },
		{ "local:/run/x.sock", LISTEN_UNIX, "/run/x.sock", 0 },
		{ "inet:8891@127.0.0.1", LISTEN_INET, "127.0.0.1", 8891 },
		{ "inet:8891@localhost", LISTEN_INET, "localhost", 8891 },
		{ "inet6:8891@[::1]", LISTEN_INET6, "::1", 8891 },
		{ "inet6:8891@::1", LISTEN_INET6, "::1", 8891 },
		{ "inet:8891", -1, "", 0 }, /* libmilter would listen on all addresses */
		{ "inet:8891@", -1, "", 0 },
		{ "inet:0@127.0.0.1", -1, "", 0 },
		{ "inet:65536@127.0.0.1", -1, "", 0 },
		{ "inet:x@127.0.0.1", -1, "", 0 },
		{ "inet:8891@::1", -1, "", 0 },
		{ "inet:8891@1.2.3", -1, "", 0 },
		{ "inet:8891@a b", -1, "", 0 },
		{ "unix:run/x", -1, "", 0 },
		{ "unix:", -1, "", 0 },
		{ "unix:/run/", -1, "", 0 },
		{ "/run/x.sock", -1, "", 0 },
		{ "", -1, "", 0 },
		{ "tcp://127.0.0.1:1", -1, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct listen_setting listen = { 0 };
		struct strlist pool = { 0 };
		struct err err = ERR_INIT;
		int result = listen_parse(rows[i].text, &pool, &listen, &err);

		assert_int_equal(result, rows[i].family < 0 ? -1 : 0);
		if (result == 0) {
			assert_int_equal(listen.family, rows[i].family);
			assert_int_equal(listen.port, rows[i].port);
			assert_string_equal(listen.text, rows[i].text);
			assert_string_equal(
				listen.family == LISTEN_UNIX ? listen.path : listen.host,
				rows[i].where);
		} else {
			assert_null(listen.text);
			assert_string_not_equal(err.text, "");
		}
		strlist_free(&pool);
	}
}

static void server_addresses(void **state)
{
	static const struct {
		enum scorer_protocol protocol;
		const char *text;
		int transport; /* -1: refused */
		const char *host;
		uint16_t port;
		const char *path;
	} rows[] = {
		{ SCORER_SPAMD, "unix:/run/spamd.sock", TRANSPORT_UNIX, "/run/spamd.sock", 0, "" },
		{ SCORER_SPAMD, "tcp://192.0.2.10:784", TRANSPORT_TCP, "192.0.2.10", 784, "" },
		{ SCORER_SPAMD, "tcp://sa.example.net", TRANSPORT_TCP, "sa.example.net", 783, "" },
		{ SCORER_SPAMD, "tls://[2001:db8::1]:783", TRANSPORT_TLS, "2001:db8::1", 783, "" },
		{ SCORER_SPAMD, "tcp://[2001:db8::1]", TRANSPORT_TCP, "2001:db8::1", 783, "" },
		{ SCORER_SPAMD, "tcp://2001:db8::1", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://[2001:db8::1", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://[]:1", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://host:0", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://host:", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://host:783/x", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://.host:1", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://-host:1", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://a..b:1", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://host_1.a-b:1", TRANSPORT_TCP, "host_1.a-b", 1, "" },
		{ SCORER_SPAMD, "tcp://[::1]x", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://[::1]:x", -1, "", 0, "" },
		{ SCORER_SPAMD, "unix:run/spamd.sock", -1, "", 0, "" },
		{ SCORER_JSON, "http://host/a\x7f", -1, "", 0, "" },
		{ SCORER_JSON, "http://host/a#b", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://a b:1", -1, "", 0, "" },
		{ SCORER_SPAMD, "tcp://256.1.1.1", -1, "", 0, "" },
		{ SCORER_SPAMD, "127.0.0.1:783", -1, "", 0, "" },
		{ SCORER_SPAMD, "http://host", -1, "", 0, "" },
		{ SCORER_RSPAMD, "tcp://host", -1, "", 0, "" },
		{ SCORER_RSPAMD, "http://127.0.0.1", TRANSPORT_TCP, "127.0.0.1", 11333, "" },
		{ SCORER_RSPAMD, "https://r.example.net/a/b", TRANSPORT_TLS, "r.example.net", 443,
			"/a/b" },
		{ SCORER_JSON, "http://[::1]:8080/", TRANSPORT_TCP, "::1", 8080, "" },
		{ SCORER_JSON, "http://host", TRANSPORT_TCP, "host", 80, "" },
		{ SCORER_JSON, "http://host/a b", -1, "", 0, "" },
		{ SCORER_JSON, "http://host/a?b", -1, "", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server_setting server = { 0 };
		struct strlist pool = { 0 };
		struct err err = ERR_INIT;
		int result = server_parse(rows[i].text, &pool, &server, &err);

		if (result == 0)
			result = server_resolve(&server, rows[i].protocol, &err);
		if (result != (rows[i].transport < 0 ? -1 : 0))
			fail_msg("%s: %d %s", rows[i].text, result, err.text);
		if (result == 0) {
			assert_int_equal(server.transport, rows[i].transport);
			assert_string_equal(server.host, rows[i].host);
			assert_int_equal(server.port, rows[i].port);
			assert_string_equal(server.path, rows[i].path);
		}
		strlist_free(&pool);
	}
}

static void socket_paths_have_a_length(void **state)
{
	char path[SOCKET_PATH_MAX + 2];
	struct err err = ERR_INIT;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(socket_path_check(path, &err), -1);
	assert_non_null(strstr(err.text, "at most 107 bytes"));
	path[sizeof(path) - 2] = '\0';
	assert_int_equal(socket_path_check(path, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(booleans_have_six_words),
		cmocka_unit_test(options_say_what_is_wrong),
		cmocka_unit_test(thresholds_keep_thousandths),
		cmocka_unit_test(listen_addresses),
		cmocka_unit_test(server_addresses),
		cmocka_unit_test(socket_paths_have_a_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
