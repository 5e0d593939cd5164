/* SPDX-License-Identifier: BSD-2-Clause */
/* A complete configuration from what another filter's options mean. */
#include "ctl/migration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/score.h"
#include "config/checks.h"
#include "config/names.h"
#include "config/network.h"
#include "config/options.h"
#include "config/values.h"
#include "protocol/template.h"

/* What spamc does without options: 500 KB at most, local spamd. */
#define SPAMC_MAX_BYTES    (500 * 1024)
#define SPAMC_DEFAULT_HOST "127.0.0.1"
#define SPAMC_DEFAULT_PORT "783"

/* The longest deadline that is below Postfix's own limit, seconds (config/options.c). */
#define DEADLINE_MAX    280
#define DEADLINE_CHOSEN 60

#define SENTENCE_SIZE 1024

static void miss(
	struct migration *migration, const char *option, const char *value, const char *why)
{
	struct buf sentence;

	buf_init(&sentence, 2 * SENTENCE_SIZE);
	buf_printf(&sentence, "%s ", option);
	encode_terminal(&sentence, value, strnlen(value, 300));
	buf_printf(&sentence, ": %s", why);
	if (sentence.failed || !strlist_add(&migration->missing, buf_text(&sentence)))
		migration->out_of_memory = true;
	buf_free(&sentence);
}

static void put_text(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s = ", name);
	quoted_print(value, out);
	buf_putc(out, '\n');
}

/* libmilter's own forms, and a bare path. */
static void put_listen(struct migration *migration, struct buf *out)
{
	const char *given = migration->listen;
	struct buf listen;

	if (given == NULL) {
		buf_puts(out, "# The socket was not among the options; this is the default.\n");
		put_text(out, "listen", option_find(SECTION_TOP, "listen")->fallback);
		return;
	}
	buf_init(&listen, strlen(given) + sizeof("@127.0.0.1"));
	if (given[0] == '/')
		buf_printf(&listen, "unix:%s", given);
	else if (strncmp(given, "inet", 4) == 0 && strchr(given, '@') == NULL)
		buf_printf(&listen, "%s@%s", given,
			given[4] == '6' ? "::1" : "127.0.0.1"); /* libmilter: every address */
	else
		buf_puts(&listen, given);
	buf_puts(out, "# -p; stop spamass-milter before spambridge takes its socket over.\n");
	put_text(out, "listen", buf_text(&listen));
	out->failed = out->failed || listen.failed;
	buf_free(&listen);
}

static void put_socket(struct migration *migration, struct buf *out)
{
	put_listen(migration, out);
	if (migration->socket_group != NULL)
		put_text(out, "socket_group", migration->socket_group);
	if (migration->socket_mode != NULL)
		put_text(out, "socket_mode", migration->socket_mode);
	if (migration->debug)
		buf_puts(out, "# -d\nlog_level = debug\n");
}

/* Digits only, else -1. */
static long whole_number(const char *text)
{
	if (text == NULL || strspn(text, "0123456789") != strlen(text) || text[0] == '\0' ||
		strlen(text) > 9)
		return -1;
	return strtol(text, NULL, 10);
}

static void put_limits(struct migration *migration, struct buf *out)
{
	long seconds = whole_number(migration->timeout), bytes = whole_number(migration->max_size);

	buf_puts(out,
		"\n# spamc -t counts each read anew and defaults to 600 s, longer than Postfix "
		"waits.\n"
		"# This is the time for everything.\n");
	if (seconds < 1 || seconds > DEADLINE_MAX) {
		if (migration->timeout != NULL)
			miss(migration, "spamc -t", migration->timeout,
				"beyond what a mail server waits for; deadline is 60s");
		seconds = DEADLINE_CHOSEN;
	}
	buf_printf(out, "deadline = %lds\n", seconds);
	if (bytes < 1024) {
		if (migration->max_size != NULL)
			miss(migration, "spamc -s", migration->max_size, "taken as 500K");
		bytes = SPAMC_MAX_BYTES;
	}
	buf_puts(out,
		"# spamc -s: larger mail passes unscanned; \"head\" would have its beginning "
		"scored.\nmax_scan_size = ");
	size_print(bytes, out);
	buf_puts(out, "\noversize = pass\n");
	buf_puts(out, "# spamc -x, -X: what happens without a verdict.\n");
	buf_printf(out, "on_failure = %s\n", migration->fail_closed ? "tempfail" : "accept");
}

static void put_exemptions(struct migration *migration, struct buf *out)
{
	const char *separator = " ";

	buf_puts(out, "\n# -i: mail of these clients is not scored.\ntrusted_networks = {");
	for (size_t i = 0; i < migration->networks.count; i++) {
		char text[NETWORK_TEXT_SIZE];
		struct network network;
		struct err err = ERR_INIT;

		if (network_parse(migration->networks.items[i], &network, &err) != 0) {
			miss(migration, "-i", migration->networks.items[i], err.text);
			continue;
		}
		buf_printf(out, "%s\"%s\"", separator, network_format(&network, text));
		separator = ", ";
	}
	buf_puts(out, " }\n# -a, -I\n");
	buf_printf(
		out, "skip_authenticated = %s\n", migration->skip_authenticated ? "true" : "false");
}

static void put_host(struct migration *migration, const char *host, struct buf *out)
{
	struct buf server;
	bool six = strchr(host, ':') != NULL && host[0] != '[';
	const char *port = migration->port == NULL ? SPAMC_DEFAULT_PORT : migration->port;

	buf_init(&server, strlen(host) + strlen(port) + sizeof("tcp://[]:"));
	buf_printf(&server, "%s://%s%s%s:%s", migration->tls ? "tls" : "tcp", six ? "[" : "", host,
		six ? "]" : "", port);
	quoted_print(buf_text(&server), out);
	out->failed = out->failed || server.failed;
	buf_free(&server);
}

static void put_servers(struct migration *migration, struct buf *out)
{
	buf_puts(out, "\tservers = { ");
	if (migration->spamd_socket != NULL) {
		struct buf server;

		buf_init(&server, strlen(migration->spamd_socket) + sizeof("unix:"));
		buf_printf(&server, "unix:%s", migration->spamd_socket);
		quoted_print(buf_text(&server), out);
		out->failed = out->failed || server.failed;
		buf_free(&server);
	} else if (migration->hosts.count == 0) {
		put_host(migration, SPAMC_DEFAULT_HOST, out);
	}
	for (size_t i = 0; i < migration->hosts.count && migration->spamd_socket == NULL; i++) {
		buf_puts(out, i == 0 ? "" : ", ");
		put_host(migration, migration->hosts.items[i], out);
	}
	buf_puts(out, " }\n");
}

static void put_tls(const struct migration *migration, struct buf *out)
{
	const char *const files[][2] = {
		{ "\tca_file", migration->ca_file },
		{ "\tcert_file", migration->cert_file },
		{ "\tkey_file", migration->key_file },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i][1] != NULL)
			put_text(out, files[i][0], files[i][1]);
}

/* spamass-milter: the local part of the only recipient, else -u's name; with -e the address. */
static void put_user(struct migration *migration, struct buf *out)
{
	const char *fixed = migration->user == NULL ? migration->spamc_user : migration->user;

	if (migration->user != NULL && migration->default_domain != NULL) {
		buf_puts(out,
			"\t# -u with -e: the address of each recipient.\n\tuser = "
			"\"recipient\"\n");
		miss(migration, "-u", migration->user,
			"mail to more users than max_users_per_message is scored without a user, "
			"and names without a domain stay as they are");
	} else if (fixed != NULL) {
		buf_putc(out, '\t');
		put_text(out, "user", fixed);
		if (migration->user != NULL)
			miss(migration, "-u", migration->user,
				"every message is scored as this user; spamass-milter gave the "
				"local "
				"part of a single recipient (user = \"recipient\" gives the whole "
				"address)");
	} else if (migration->default_domain != NULL) {
		miss(migration, "-e", migration->default_domain, "without -u it has no effect");
	}
}

static void put_scorer(struct migration *migration, struct buf *out)
{
	buf_puts(out, "\nscorer \"spamassassin\" {\n\tprotocol = spamd\n");
	if (migration->tls)
		buf_puts(out, "\t# spamc -S; the certificate is checked: see ca_file.\n");
	put_servers(migration, out);
	put_tls(migration, out);
	buf_puts(out,
		"\t# As many as spamd's --max-children (5 is its default).\n"
		"\tmax_connections = 5\n");
	put_user(migration, out);
	buf_puts(out, "}\n");
}

/* A threshold of theirs: a whole number, or -1 for whatever SpamAssassin calls spam. */
static bool parse_threshold(
	struct migration *migration, const char *option, const char *text, int32_t *ret_milli)
{
	if (text == NULL)
		return false;
	if (strcmp(text, "-1") == 0) {
		miss(migration, option, text,
			"means what SpamAssassin calls spam: set this to its required_score (5.0)");
		*ret_milli = 5000;
		return true;
	}
	if (score_parse(text, strlen(text), ret_milli))
		return true;
	miss(migration, option, text, "not a score");
	return false;
}

/* Their -Q, when it can be carried out. */
static bool parse_quarantine(struct migration *migration, const int32_t *reject, int32_t *ret_milli)
{
	if (!parse_threshold(migration, "-Q", migration->quarantine, ret_milli))
		return false;
	if (reject != NULL && *ret_milli > *reject)
		miss(migration, "-Q", migration->quarantine, "never reached: -r is lower");
	else
		return true;
	return false;
}

/* Their text has no fields in it, so each % stands for itself. */
static void put_reject_text(struct migration *migration, struct buf *out)
{
	const char *text = migration->reject_text;
	struct buf doubled;
	struct err err = ERR_INIT;

	if (text == NULL)
		text = "Blocked by SpamAssassin";
	buf_init(&doubled, 2 * strlen(text) + 1);
	for (const char *c = text; *c != '\0'; c++) {
		buf_putc(&doubled, *c);
		if (*c == '%')
			buf_putc(&doubled, '%');
	}
	out->failed = out->failed || doubled.failed;
	if (template_check(buf_text(&doubled), &err) == 0) {
		buf_puts(out, "\t# -R; %{score} and %{id} would tell more.\n\t");
		put_text(out, "reject_text", buf_text(&doubled));
	} else {
		miss(migration, "-R", text, err.text);
	}
	buf_free(&doubled);
}

/* Their defaults are 550 and 5.7.1; both codes must be of one class here. */
static void put_reject_code(struct migration *migration, struct buf *out)
{
	const char *code = migration->reply_code != NULL ? migration->reply_code : "550";
	const char *status = migration->status_code;
	struct err err = ERR_INIT;
	char both[64];

	if (status == NULL)
		status = code[0] == '4' ? "4.7.1" : "5.7.1";
	snprintf(both, sizeof(both), "%s %s", code, status);
	if (strcmp(both, "550 5.7.1") == 0)
		return;
	if (check_reply_code(both, &err) < 0) {
		miss(migration, "-c and -C", both, err.text);
		return;
	}
	buf_puts(out, "\t# -c, -C\n\t");
	put_text(out, "reject_code", both);
}

/* From `tag` on, as theirs; a mailbox without a domain cannot be told from another one here. */
static void put_address(struct migration *migration, const char *option, const char *name,
	const char *address, struct buf *out)
{
	struct err err = ERR_INIT;

	if (address == NULL)
		return;
	if (check_address(address, &err) < 0) {
		miss(migration, option, address, "not an address with a domain");
		return;
	}
	buf_printf(out, "\t# %s; from the score tag on\n\t", option);
	put_text(out, name, address);
}

/* Mail that they exempt, when -A has it marked. */
static void put_outbound(const struct migration *migration, bool has_held, struct buf *out)
{
	buf_puts(out,
		"\n# -A: exempt mail is scored and marked, never refused.\n"
		"outbound {\n\tscan = true\n\treject = off\n");
	if (has_held)
		buf_puts(out, "\tquarantine = off\n");
	if (migration->redirect != NULL)
		buf_puts(out, "\tredirect_score = off\n");
	if (migration->copy_to != NULL)
		buf_puts(out, "\tcopy_score = off\n");
	buf_puts(out, "\ton_failure = accept\n}\n");
}

static void put_policy(struct migration *migration, struct buf *out)
{
	char text[SCORE_TEXT_SIZE];
	int32_t reject = 0, held = 0, tag = 5000;
	bool has_reject = parse_threshold(migration, "-r", migration->reject, &reject);
	bool has_held = parse_quarantine(migration, has_reject ? &reject : NULL, &held);

	/* Within a section thresholds are in order. */
	if (has_reject && reject < tag)
		tag = reject;
	if (has_held && held < tag)
		tag = held;
	buf_puts(out, "\npolicy {\n\t# SpamAssassin's required_score decided; write yours here.\n");
	buf_printf(out, "\ttag = %s\n", score_format(tag, 0, text));
	if (has_held)
		buf_printf(out,
			"\t# -Q; \"directory\" would hold it in spambridge's own quarantine.\n"
			"\tquarantine = %s\n\tquarantine_to = hold\n",
			score_format(held, 0, text));
	buf_puts(out, "\t# -r\n");
	buf_printf(out, "\treject = %s\n", has_reject ? score_format(reject, 0, text) : "off");
	put_reject_code(migration, out);
	put_reject_text(migration, out);
	put_address(migration, "-b", "redirect", migration->redirect, out);
	put_address(migration, "-B", "copy_to", migration->copy_to, out);
	buf_puts(out, "}\n");
	if (migration->tag_only)
		put_outbound(migration, has_held, out);
}

static void put_addresses(struct migration *migration, struct buf *out)
{
	for (size_t i = 0; i < migration->exempt.count; i++) {
		const char *address = migration->exempt.items[i];
		char local[1024], domain[1024];

		if (!address_normalise(address, local, domain, sizeof(local))) {
			miss(migration, "-T", address, "not an address with a domain");
			continue;
		}
		buf_puts(out,
			"\n# -T; holds for this recipient only, not for the others of its "
			"mail.\naddress ");
		quoted_print(address, out);
		buf_printf(out, " {\n%s\treject = off\n}\n",
			migration->tag_only ? "" : "\ttag = off\n");
	}
}

static void put_missing(const struct migration *migration, struct buf *out)
{
	buf_puts(out,
		"\n# Different on purpose: scores keep their decimals (4.9 is less than 5, and\n"
		"# more than 4), forged X-Spam fields are always removed, and the subject and the\n"
		"# body stay as they are, as with -m.\n");
	if (migration->missing.count > 0)
		buf_puts(out, "#\n# Without an equivalent, or not quite the same:\n");
	for (size_t i = 0; i < migration->missing.count; i++)
		buf_printf(out, "#   %s\n", migration->missing.items[i]);
}

bool migration_print(struct migration *migration, struct buf *out)
{
	buf_puts(out,
		"# Configuration of spambridge, made from spamass-milter's options.\n"
		"# See spambridge.conf(5).\n\n");
	put_socket(migration, out);
	put_limits(migration, out);
	put_exemptions(migration, out);
	put_scorer(migration, out);
	put_policy(migration, out);
	put_addresses(migration, out);
	put_missing(migration, out);
	return !out->failed && !migration->out_of_memory;
}
