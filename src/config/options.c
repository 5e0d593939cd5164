/* SPDX-License-Identifier: BSD-2-Clause */
/* The option table and how names are found in it. */
#include "config/options.h"

#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "base/limits.h"
#include "config/checks.h"
#include "config/settings.h"

#define KILO 1024LL
#define MEGA (1024 * KILO)
#define GIGA (1024 * MEGA)

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define TOP        SECTION_BIT(SECTION_TOP)
#define SCORER     SECTION_BIT(SECTION_SCORER)
#define POLICY     SECTION_BIT(SECTION_POLICY)
#define DOMAINS    (SECTION_BIT(SECTION_DOMAIN) | SECTION_BIT(SECTION_ADDRESS))
#define OUTBOUND   SECTION_BIT(SECTION_OUTBOUND)
#define SENDER     SECTION_BIT(SECTION_SENDER)
#define QUARANTINE SECTION_BIT(SECTION_QUARANTINE)

/* Where the options of a policy may stand. */
#define POLICIES (POLICY | DOMAINS | OUTBOUND | SENDER)

/* At the end of a row of a scorer: no other protocol knows the option. */
#define ONLY(protocol) .protocols = 1u << (protocol)

#define PLAIN(member)     .field = OPTION_PLAIN, .offset = offsetof(struct settings, member)
#define IN_SCORER(member) .field = OPTION_PLAIN, .offset = offsetof(struct scorer_setting, member)
#define IN_QUARANTINE(member) \
	.field = OPTION_PLAIN, .offset = offsetof(struct quarantine_setting, member)
#define IN_POLICY(which, member) .field = which, .offset = offsetof(struct policy_fields, member)
#define RANGE(least, most)       .min = (least), .max = (most)

/* Thresholds: SpamAssassin's GTUBE scores 1,000, nothing sensible lies beyond. */
#define SCORE_RANGE RANGE(-1000 * 1000, 1000 * 1000)

static const struct option_word log_words[] = {
	{ "auto", LOG_TARGET_AUTO },
	{ "stderr", LOG_TARGET_STDERR },
	{ "syslog", LOG_TARGET_SYSLOG },
	{ "journal", LOG_TARGET_JOURNAL },
	{ NULL, 0 },
};

static const struct option_word log_level_words[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ NULL, 0 },
};

static const struct option_word oversize_words[] = {
	{ "head", OVERSIZE_HEAD },
	{ "pass", OVERSIZE_PASS },
	{ "quarantine", OVERSIZE_QUARANTINE },
	{ "tempfail", OVERSIZE_TEMPFAIL },
	{ NULL, 0 },
};

static const struct option_word on_failure_words[] = {
	{ "accept", ON_FAILURE_ACCEPT },
	{ "tempfail", ON_FAILURE_TEMPFAIL },
	{ "quarantine", ON_FAILURE_QUARANTINE },
	{ NULL, 0 },
};

static const struct option_word mode_words[] = {
	{ "enforce", MODE_ENFORCE },
	{ "observe", MODE_OBSERVE },
	{ NULL, 0 },
};

static const struct option_word quarantine_to_words[] = {
	{ "directory", QUARANTINE_TO_DIRECTORY },
	{ "hold", QUARANTINE_TO_HOLD },
	{ NULL, 0 },
};

static const struct option_word reject_action_words[] = {
	{ "reject", REJECT_ACTION_REJECT },
	{ "discard", REJECT_ACTION_DISCARD },
	{ NULL, 0 },
};

static const struct option_word protocol_words[] = {
	{ "spamd", SCORER_SPAMD },
	{ "rspamd", SCORER_RSPAMD },
	{ "json", SCORER_JSON },
	{ NULL, 0 },
};

static const struct option_word request_words[] = {
	{ "raw", REQUEST_RAW },
	{ "json", REQUEST_JSON },
	{ NULL, 0 },
};

static const struct option_word encoding_words[] = {
	{ "text", MESSAGE_TEXT },
	{ "base64", MESSAGE_BASE64 },
	{ NULL, 0 },
};

static const struct option_word envelope_words[] = {
	{ "none", ENVELOPE_NONE },
	{ "headers", ENVELOPE_HEADERS },
	{ "members", ENVELOPE_MEMBERS },
	{ NULL, 0 },
};

static const struct option_word threshold_words[] = {
	{ "off", THRESHOLD_OFF },
	{ NULL, 0 },
};

static const struct option_word follow_words[] = {
	{ "tag", THRESHOLD_TAG },
	{ "off", THRESHOLD_OFF },
	{ NULL, 0 },
};

static const struct option_word zero_words[] = {
	{ "off", 0 },
	{ NULL, 0 },
};

static const struct option_word hedge_words[] = {
	{ "half", -1 },
	{ "off", 0 },
	{ NULL, 0 },
};

const struct option options[] = {
	{ "listen", TOP, OPTION_LISTEN, PLAIN(listen),
		"unix:/var/spool/postfix/spambridge/milter.sock", 0, 0, NULL, NULL,
		"socket for the mail server: unix:/path or inet:port@host" },
	{ "socket_group", TOP, OPTION_TEXT, PLAIN(socket_group), "postfix", RANGE(0, 32), NULL,
		check_account, "group that may connect to a unix socket; empty: unchanged" },
	{ "socket_mode", TOP, OPTION_MODE, PLAIN(socket_mode), "0660", RANGE(0, 0777), NULL, NULL,
		"permissions of a unix socket" },
	{ "control", TOP, OPTION_PATH, PLAIN(control), "/run/spambridge/control.sock",
		RANGE(0, 107), NULL, check_socket, "socket for spambridgectl; empty: none" },
	{ "http_listen", TOP, OPTION_TEXT, PLAIN(http_listen), "", RANGE(0, 64), NULL,
		check_http_listen,
		"address:port where /metrics and /health are served; empty: nowhere" },
	{ "http_allow", TOP, OPTION_NETWORKS, PLAIN(http_allow), "127.0.0.0/8, ::1/128", 0, 0, NULL,
		NULL, "clients that http_listen answers" },
	{ "user", TOP, OPTION_TEXT, PLAIN(user), "spambridge", RANGE(1, 32), NULL, check_user,
		"user that the daemon becomes when it is started as root" },
	{ "log", TOP, OPTION_WORD, PLAIN(log), "auto", 0, 0, log_words, NULL,
		"where log records go" },
	{ "log_level", TOP, OPTION_WORD, PLAIN(log_level), "info", 0, 0, log_level_words, NULL,
		"least severe records that are written" },
	{ "deadline", TOP, OPTION_DURATION, PLAIN(deadline_ms), "20s", RANGE(100, 280 * SECOND),
		NULL, NULL, "end of message to answer, waiting for a scorer included" },
	{ "max_scan_size", TOP, OPTION_SIZE, PLAIN(max_scan_size), "512K",
		RANGE(1 * KILO, 1 * GIGA), NULL, NULL, "larger messages: see oversize" },
	{ "oversize", TOP, OPTION_WORD, PLAIN(oversize), "head", 0, 0, oversize_words, NULL,
		"what happens to a message that is larger than max_scan_size" },
	{ "message_memory", TOP, OPTION_SIZE, PLAIN(message_memory), "1M",
		RANGE(4 * KILO, 1 * GIGA), NULL, NULL,
		"part of a body kept in memory before it goes to a temporary file" },
	{ "temp_directory", TOP, OPTION_PATH, PLAIN(temp_directory), "/var/tmp", RANGE(1, 4000),
		NULL, NULL, "directory of temporary files" },
	{ "max_sessions", TOP, OPTION_COUNT, PLAIN(max_sessions), "1000", RANGE(1, 100000), NULL,
		NULL, "connections from mail servers at a time" },
	{ "resolve_every", TOP, OPTION_DURATION, PLAIN(resolve_every_ms), "1m",
		RANGE(1 * SECOND, 1 * DAY), NULL, NULL,
		"how often the host names of servers are looked up again" },
	{ "late_verdicts", TOP, OPTION_DURATION, PLAIN(late_verdicts_ms), "1h",
		RANGE(1 * MINUTE, 7 * DAY), zero_words, NULL,
		"how long a verdict that came too late is kept for the sender's retry" },
	{ "late_verdict_limit", TOP, OPTION_COUNT, PLAIN(late_verdict_limit), "1000",
		RANGE(0, 1000000), NULL, NULL, "late verdicts kept at most" },
	{ "trusted_networks", TOP, OPTION_NETWORKS, PLAIN(trusted_networks), "127.0.0.0/8, ::1/128",
		0, 0, NULL, NULL, "clients whose mail is passed unscored" },
	{ "skip_authenticated", TOP, OPTION_BOOL, PLAIN(skip_authenticated), "true", 0, 0, NULL,
		NULL, "pass mail of authenticated senders unscored" },
	{ "keep_spam_headers_from", TOP, OPTION_NETWORKS, PLAIN(keep_spam_headers_from), NULL, 0, 0,
		NULL, NULL, "relays whose X-Spam headers are kept" },
	{ "recipient_delimiter", TOP, OPTION_TEXT, PLAIN(recipient_delimiter), "+", RANGE(0, 8),
		NULL, check_delimiter, "characters that may begin a sub-address" },
	{ "domain_table", TOP, OPTION_PATH, PLAIN(domain_table), "", RANGE(0, 4000), NULL, NULL,
		"file with one line for each domain or address" },
	{ "alias_table", TOP, OPTION_PATH, PLAIN(alias_table), "", RANGE(0, 4000), NULL, NULL,
		"file with one line for each alias and the mailbox whose policy counts" },
	{ "shadow", TOP, OPTION_TEXT, PLAIN(shadow), "", RANGE(0, 64), NULL, NULL,
		"scorer that is given copies, only to compare it with the others; empty: none" },
	{ "shadow_share", TOP, OPTION_PERCENT, PLAIN(shadow_share), "10%", RANGE(1, 100), NULL,
		NULL, "part of the scored messages that the shadow is given" },

	{ "protocol", SCORER, OPTION_WORD, IN_SCORER(protocol), "spamd", 0, 0, protocol_words, NULL,
		"what the servers speak" },
	{ "servers", SCORER, OPTION_SERVERS, IN_SCORER(servers), NULL, 0, 0, NULL, NULL,
		"addresses; they share the load" },
	{ "max_connections", SCORER, OPTION_COUNT, IN_SCORER(max_connections), "5", RANGE(1, 10000),
		NULL, NULL, "requests to one server at a time" },
	{ "user", SCORER, OPTION_TEXT, IN_SCORER(user), "", RANGE(0, 255), NULL, check_spamd_user,
		"spamd User: a fixed name, or recipient, or domain; empty: none",
		ONLY(SCORER_SPAMD) },
	{ "max_users_per_message", SCORER, OPTION_COUNT, IN_SCORER(max_users), "4",
		RANGE(1, LIMIT_SCORE_USERS), NULL, NULL,
		"scans of one message for different users; more users share one for nobody",
		ONLY(SCORER_SPAMD) },
	{ "hedge_after", SCORER, OPTION_DURATION, IN_SCORER(hedge_after_ms), "half",
		RANGE(10, 280 * SECOND), hedge_words, NULL,
		"ask a second server when there is no answer yet" },
	{ "ca_file", SCORER, OPTION_PATH, IN_SCORER(ca_file), "", RANGE(0, 4000), NULL, NULL,
		"certificates that servers are checked against; empty: the system's" },
	{ "cert_file", SCORER, OPTION_PATH, IN_SCORER(cert_file), "", RANGE(0, 4000), NULL, NULL,
		"client certificate to show to servers" },
	{ "key_file", SCORER, OPTION_PATH, IN_SCORER(key_file), "", RANGE(0, 4000), NULL, NULL,
		"private key of the client certificate" },
	{ "settings_id", SCORER, OPTION_TEXT, IN_SCORER(settings_id), "", RANGE(0, 64), NULL,
		check_header_word, "rspamd: id of the settings to apply; empty: none",
		ONLY(SCORER_RSPAMD) },
	{ "trust_action", SCORER, OPTION_BOOL, IN_SCORER(trust_action), "false", 0, 0, NULL, NULL,
		"rspamd: its action decides, not its score", ONLY(SCORER_RSPAMD) },
	{ "learn_servers", SCORER, OPTION_SERVERS, IN_SCORER(learn_servers), NULL, 0, 0, NULL, NULL,
		"rspamd: controllers that are told what was misjudged", ONLY(SCORER_RSPAMD) },
	{ "password_file", SCORER, OPTION_PATH, IN_SCORER(password_file), "", RANGE(0, 4000), NULL,
		NULL, "rspamd: file with the password, readable by the daemon only",
		ONLY(SCORER_RSPAMD) },
	{ "path", SCORER, OPTION_TEXT, IN_SCORER(path), "/", RANGE(1, 1000), NULL, check_url_path,
		"json: where messages are posted to", ONLY(SCORER_JSON) },
	{ "health_path", SCORER, OPTION_TEXT, IN_SCORER(health_path), "", RANGE(0, 1000), NULL,
		check_url_path, "json: answers 200 when all is well; empty: a connection does",
		ONLY(SCORER_JSON) },
	{ "request", SCORER, OPTION_WORD, IN_SCORER(request), "raw", 0, 0, request_words, NULL,
		"json: the message itself, or an object that holds it", ONLY(SCORER_JSON) },
	{ "message_member", SCORER, OPTION_TEXT, IN_SCORER(message_member), "email", RANGE(1, 200),
		NULL, check_name, "json: member of the object that holds the message",
		ONLY(SCORER_JSON) },
	{ "message_encoding", SCORER, OPTION_WORD, IN_SCORER(message_encoding), "text", 0, 0,
		encoding_words, NULL, "json: how the member holds the message", ONLY(SCORER_JSON) },
	{ "members", SCORER, OPTION_TEXTS, IN_SCORER(members), NULL, RANGE(1, 1000), NULL,
		check_member, "json: fixed extra members of the object: name=value",
		ONLY(SCORER_JSON) },
	{ "envelope", SCORER, OPTION_WORD, IN_SCORER(envelope), "none", 0, 0, envelope_words, NULL,
		"json: how client and envelope are told", ONLY(SCORER_JSON) },
	{ "headers", SCORER, OPTION_TEXTS, IN_SCORER(headers), NULL, RANGE(1, 1000), NULL,
		check_http_header, "json: further request headers: Name: value",
		ONLY(SCORER_JSON) },
	{ "auth_file", SCORER, OPTION_PATH, IN_SCORER(auth_file), "", RANGE(0, 4000), NULL, NULL,
		"json: file with one header line, readable by the daemon only", ONLY(SCORER_JSON) },
	{ "score", SCORER, OPTION_TEXT, IN_SCORER(score), "/score", RANGE(1, 1000), NULL,
		check_pointer, "json: pointer to the score", ONLY(SCORER_JSON) },
	{ "required", SCORER, OPTION_TEXT, IN_SCORER(required), "", RANGE(0, 1000), NULL,
		check_pointer, "json: pointer to the service's own threshold", ONLY(SCORER_JSON) },
	{ "tests", SCORER, OPTION_TEXT, IN_SCORER(tests), "", RANGE(0, 1000), NULL, check_pointer,
		"json: pointer to the tests that matched", ONLY(SCORER_JSON) },
	{ "tests_name", SCORER, OPTION_TEXT, IN_SCORER(tests_name), "name", RANGE(1, 200), NULL,
		check_name, "json: member that names a test, where tests are objects",
		ONLY(SCORER_JSON) },
	{ "report", SCORER, OPTION_TEXT, IN_SCORER(report), "", RANGE(0, 1000), NULL, check_pointer,
		"json: pointer to a text for X-Spam-Report", ONLY(SCORER_JSON) },
	{ "ok", SCORER, OPTION_TEXT, IN_SCORER(ok), "", RANGE(0, 1000), NULL, check_pointer,
		"json: pointer to a value that must be true", ONLY(SCORER_JSON) },
	{ "error", SCORER, OPTION_TEXT, IN_SCORER(error), "", RANGE(0, 1000), NULL, check_pointer,
		"json: pointer to a text that says what went wrong", ONLY(SCORER_JSON) },

	{ "scan", OUTBOUND, OPTION_BOOL, .field = OPTION_PLAIN,
		.offset = offsetof(struct outbound_setting, scan), "false", 0, 0, NULL, NULL,
		"score mail of authenticated senders and trusted networks" },
	{ "tag", POLICIES, OPTION_SCORE, IN_POLICY(POLICY_TAG, tag), "5.0", SCORE_RANGE,
		threshold_words, NULL, "mark as spam from this score on" },
	{ "defer", POLICIES, OPTION_SCORE, IN_POLICY(POLICY_DEFER, defer), "off", SCORE_RANGE,
		threshold_words, NULL, "put off from this score on" },
	{ "quarantine", POLICIES, OPTION_SCORE, IN_POLICY(POLICY_QUARANTINE, quarantine), "off",
		SCORE_RANGE, threshold_words, NULL, "hold in the quarantine from this score on" },
	{ "quarantine_to", POLICIES, OPTION_WORD, IN_POLICY(POLICY_QUARANTINE_TO, quarantine_to),
		"directory", 0, 0, quarantine_to_words, NULL,
		"where mail is held: the directory, or the mail server's hold queue" },
	{ "reject", POLICIES, OPTION_SCORE, IN_POLICY(POLICY_REJECT, reject), "15.0", SCORE_RANGE,
		threshold_words, NULL, "refuse from this score on" },
	{ "reject_action", POLICIES, OPTION_WORD, IN_POLICY(POLICY_REJECT_ACTION, reject_action),
		"reject", 0, 0, reject_action_words, NULL, "what the score reject leads to" },
	{ "reject_code", POLICIES, OPTION_TEXT, IN_POLICY(POLICY_REJECT_CODE, reject_code),
		"550 5.7.1", RANGE(1, 13), NULL, check_reply_code,
		"SMTP reply code and enhanced status code of a refusal" },
	{ "redirect", POLICIES, OPTION_TEXT, IN_POLICY(POLICY_REDIRECT, redirect), "",
		RANGE(0, 320), NULL, check_address,
		"who gets spam instead of the recipient; empty: nobody" },
	{ "redirect_score", POLICIES, OPTION_SCORE,
		IN_POLICY(POLICY_REDIRECT_SCORE, redirect_score), "tag", SCORE_RANGE, follow_words,
		NULL, "from which score on; tag: that threshold" },
	{ "copy_to", POLICIES, OPTION_TEXT, IN_POLICY(POLICY_COPY_TO, copy_to), "", RANGE(0, 320),
		NULL, check_address, "who gets spam besides the recipient; empty: nobody" },
	{ "copy_score", POLICIES, OPTION_SCORE, IN_POLICY(POLICY_COPY_SCORE, copy_score), "tag",
		SCORE_RANGE, follow_words, NULL, "from which score on; tag: that threshold" },
	{ "subject_tag", POLICIES, OPTION_TEXT, IN_POLICY(POLICY_SUBJECT_TAG, subject_tag), "",
		RANGE(0, 64), NULL, NULL, "put before the subject of tagged mail" },
	{ "reject_text", POLICIES, OPTION_TEXT, IN_POLICY(POLICY_REJECT_TEXT, reject_text),
		"Message refused as spam (score %{score}), reference %{id}",
		RANGE(1, LIMIT_REPLY_TEXT), NULL, check_reply_text,
		"what the sender of refused mail is told" },
	{ "on_failure", TOP | POLICIES, OPTION_WORD, IN_POLICY(POLICY_ON_FAILURE, on_failure),
		"accept", 0, 0, on_failure_words, NULL,
		"what happens when there is no verdict in time" },
	{ "keep_rejected", POLICIES, OPTION_DURATION,
		IN_POLICY(POLICY_KEEP_REJECTED, keep_rejected_ms), "off",
		RANGE(1 * HOUR, 365 * DAY), zero_words, NULL,
		"how long a copy of refused mail is kept" },
	{ "expire", QUARANTINE | POLICIES, OPTION_DURATION, IN_POLICY(POLICY_EXPIRE, expire_ms),
		"30d", RANGE(1 * HOUR, 3650 * DAY), NULL, NULL, "how long held mail is kept" },
	{ "digest_to", QUARANTINE | POLICIES, OPTION_TEXT, IN_POLICY(POLICY_DIGEST_TO, digest_to),
		DIGEST_TO_RECIPIENT, RANGE(1, 320), NULL, check_digest_to,
		"who is told of held mail: recipient, nobody, or an address" },
	{ "mode", TOP | POLICIES, OPTION_WORD, IN_POLICY(POLICY_MODE, mode), "enforce", 0, 0,
		mode_words, NULL, "is what is decided carried out, or only logged" },
	{ "accept_senders", POLICIES, OPTION_NAMES,
		IN_POLICY(POLICY_ACCEPT_SENDERS, accept_senders), NULL, 0, 0, NULL, NULL,
		"senders whose mail is delivered whatever its score" },
	{ "accept_clients", POLICIES, OPTION_CLIENTS,
		IN_POLICY(POLICY_ACCEPT_CLIENTS, accept_clients), NULL, 0, 0, NULL, NULL,
		"clients whose mail is delivered whatever its score" },
	{ "accept_recipients", POLICIES, OPTION_NAMES,
		IN_POLICY(POLICY_ACCEPT_RECIPIENTS, accept_recipients), NULL, 0, 0, NULL, NULL,
		"recipients who get everything" },

	{ "directory", QUARANTINE, OPTION_PATH, IN_QUARANTINE(directory),
		"/var/lib/spambridge/quarantine", RANGE(1, 4000), NULL, NULL,
		"where held mail is kept" },
	{ "domain_folders", QUARANTINE, OPTION_BOOL, IN_QUARANTINE(domain_folders), "false", 0, 0,
		NULL, NULL, "a Maildir of its own for each recipient domain" },
	{ "max_size", QUARANTINE, OPTION_BYTES, IN_QUARANTINE(max_size), "10G",
		RANGE(1 * MEGA, 1024 * 1024 * GIGA), NULL, NULL,
		"bytes of all held mail together" },
	{ "max_items", QUARANTINE, OPTION_COUNT, IN_QUARANTINE(max_items), "1000000",
		RANGE(1, 100000000), NULL, NULL, "messages held at the same time" },
	{ "reserve", QUARANTINE, OPTION_BYTES, IN_QUARANTINE(reserve), "64M",
		RANGE(0, 1024 * 1024 * GIGA), NULL, NULL,
		"part of the file system that is left free" },
	{ "release", QUARANTINE, OPTION_TEXT, IN_QUARANTINE(release), "sendmail", RANGE(1, 255),
		NULL, NULL, "how released mail is sent: sendmail or smtp://host:port" },
	{ "digest_from", QUARANTINE, OPTION_TEXT, IN_QUARANTINE(digest_from), "", RANGE(0, 320),
		NULL, check_address, "sender of digests; empty: none are sent" },
};

const size_t option_count = sizeof(options) / sizeof(options[0]);

_Static_assert(sizeof(options) / sizeof(options[0]) <= OPTION_ROWS_MAX, "raise OPTION_ROWS_MAX");

const struct section_kind section_kinds[SECTION_COUNT] = {
	[SECTION_TOP] = { "", false, "the daemon" },
	[SECTION_SCORER] = { "scorer", true, "a scoring service" },
	[SECTION_POLICY] = { "policy", false, "every recipient that nothing below names" },
	[SECTION_DOMAIN] = { "domain", true, "recipients of a domain or its sub-domains" },
	[SECTION_ADDRESS] = { "address", true, "one recipient" },
	[SECTION_OUTBOUND] = { "outbound", false, "own senders, when they are scanned" },
	[SECTION_SENDER] = { "sender", true, "own senders of a domain, or one" },
	[SECTION_QUARANTINE] = { "quarantine", false, "where held mail is kept" },
};

const struct option *option_find(enum option_section section, const char *name)
{
	for (size_t i = 0; i < option_count; i++)
		if ((options[i].sections & SECTION_BIT(section)) != 0 &&
			strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

enum option_section section_find(const char *name)
{
	for (unsigned i = SECTION_TOP + 1; i < SECTION_COUNT; i++)
		if (strcmp(section_kinds[i].name, name) == 0)
			return (enum option_section)i;
	return SECTION_COUNT;
}

bool option_fits(const struct option *option, unsigned protocol)
{
	return option->protocols == 0 || (option->protocols & 1u << protocol) != 0;
}

size_t option_size(const struct option *option)
{
	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return sizeof(char *);
	case OPTION_BOOL:
		return sizeof(bool);
	case OPTION_WORD:
	case OPTION_COUNT:
	case OPTION_PERCENT:
		return sizeof(unsigned);
	case OPTION_DURATION:
		return sizeof(int64_t);
	case OPTION_SIZE:
		return sizeof(size_t);
	case OPTION_BYTES:
		return sizeof(uint64_t);
	case OPTION_SCORE:
		return sizeof(int32_t);
	case OPTION_MODE:
		return sizeof(mode_t);
	case OPTION_LISTEN:
		return sizeof(struct listen_setting);
	case OPTION_NETWORKS:
		return sizeof(struct network_list);
	case OPTION_NAMES:
	case OPTION_CLIENTS:
		return sizeof(struct accept_item *);
	case OPTION_TEXTS:
		return sizeof(struct strlist);
	case OPTION_SERVERS:
		return sizeof(struct server_list);
	}
	return 0;
}

bool option_is_list(const struct option *option)
{
	return option->type == OPTION_NETWORKS || option->type == OPTION_SERVERS ||
		option->type == OPTION_NAMES || option->type == OPTION_CLIENTS ||
		option->type == OPTION_TEXTS;
}
