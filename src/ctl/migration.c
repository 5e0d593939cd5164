/* SPDX-License-Identifier: BSD-2-Clause */
/* What spamass-milter's options mean. */
#include "ctl/migration.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Both programs' options: Debian's 0.4.0 and the fork; "+" ends them at the first operand. */
#define MILTER_OPTIONS "+:afd:mMp:P:r:u:D:i:Ib:B:e:xS:R:C:g:T:AQ:l:c:"

/* spamc's, of SpamAssassin 4.0. */
#define SPAMC_OPTIONS ":Bc0rRd:e:fyp:n:t:s:u:L:C:xXzSHU:ElhVK46F:"

/* spamc options that only exist in a long form. */
enum {
	SPAMC_RETRIES = 256, /* --connect-retries, --retry-sleep and the like */
	SPAMC_LOG,
	SPAMC_CA_FILE,
	SPAMC_CA_PATH,
	SPAMC_CERT,
	SPAMC_KEY,
	SPAMC_OUTPUT, /* what changes only the form of spamc's output */
};

static const struct option spamc_long[] = {
	{ "dest", required_argument, NULL, 'd' },
	{ "randomize", no_argument, NULL, 'H' },
	{ "port", required_argument, NULL, 'p' },
	{ "ssl", optional_argument, NULL, 'S' },
	{ "socket", required_argument, NULL, 'U' },
	{ "config", required_argument, NULL, 'F' },
	{ "timeout", required_argument, NULL, 't' },
	{ "connect-timeout", required_argument, NULL, 'n' },
	{ "connect-retries", required_argument, NULL, SPAMC_RETRIES },
	{ "retry-sleep", required_argument, NULL, SPAMC_RETRIES },
	{ "filter-retries", required_argument, NULL, SPAMC_RETRIES },
	{ "filter-retry-sleep", required_argument, NULL, SPAMC_RETRIES },
	{ "max-size", required_argument, NULL, 's' },
	{ "username", required_argument, NULL, 'u' },
	{ "no-safe-fallback", no_argument, NULL, 'x' },
	{ "unavailable-tempfail", no_argument, NULL, 'X' },
	{ "log-to-stderr", no_argument, NULL, SPAMC_LOG },
	{ "ssl-ca-file", required_argument, NULL, SPAMC_CA_FILE },
	{ "ssl-ca-path", required_argument, NULL, SPAMC_CA_PATH },
	{ "ssl-cert", required_argument, NULL, SPAMC_CERT },
	{ "ssl-key", required_argument, NULL, SPAMC_KEY },
	{ "learntype", required_argument, NULL, SPAMC_OUTPUT },
	{ "reporttype", required_argument, NULL, SPAMC_OUTPUT },
	{ "bsmtp", no_argument, NULL, SPAMC_OUTPUT },
	{ "check", no_argument, NULL, SPAMC_OUTPUT },
	{ "tests", no_argument, NULL, SPAMC_OUTPUT },
	{ "full-spam", no_argument, NULL, SPAMC_OUTPUT },
	{ "full", no_argument, NULL, SPAMC_OUTPUT },
	{ "headers", no_argument, NULL, SPAMC_OUTPUT },
	{ "exitcode", no_argument, NULL, SPAMC_OUTPUT },
	{ "pipe-to", required_argument, NULL, SPAMC_OUTPUT },
	{ NULL, 0, NULL, 0 },
};

/* True: the option is known. */
static bool miss(struct migration *migration, const char *sentence)
{
	if (!strlist_add(&migration->missing, sentence))
		migration->out_of_memory = true;
	return true;
}

/* The elements of a comma list. */
static void add_elements(struct migration *migration, struct strlist *list, const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ", ");
		char *element = strndup(text, length);

		if (element == NULL || (length > 0 && !strlist_add(list, element)))
			migration->out_of_memory = true;
		free(element);
		text += length + (text[length] != '\0');
	}
}

/* Options that are left behind, each with the reason. False: it is none of them. */
static bool take_without_equivalent(struct migration *migration, int option)
{
	switch (option) {
	case 'P':
	case 'f':
		return true; /* the service manager's business: nothing is lost */
	case 'x':
		return miss(migration,
			"-x: aliases are not asked for; name their mailboxes in an "
			"alias_table");
	case 'S':
		return miss(migration, "-S: no sendmail is started");
	case 'l':
		return miss(migration, "-l: mail is not deferred at random; see defer");
	case 'M':
		return miss(migration,
			"-M: X-Spam fields are always added to delivered mail, and "
			"forged ones removed");
	default:
		return false;
	}
}

static bool take_milter_option(struct migration *migration, int option, const char *value)
{
	switch (option) {
	case 'p':
		migration->listen = value;
		return true;
	case 'g':
		migration->socket_group = value;
		return true;
	case 'u':
		migration->user = value;
		return true;
	case 'e':
		migration->default_domain = value;
		return true;
	case 'a':
	case 'I':
		return migration->skip_authenticated = true;
	case 'i':
		add_elements(migration, &migration->networks, value);
		return true;
	case 'T':
		add_elements(migration, &migration->exempt, value);
		return true;
	case 'A':
		return migration->tag_only = true;
	case 'r':
		migration->reject = value;
		return true;
	case 'Q':
		migration->quarantine = value;
		return true;
	case 'R':
		migration->reject_text = value;
		return true;
	case 'c':
		migration->reply_code = value;
		return true;
	case 'C':
		migration->status_code = value;
		return true;
	case 'b':
		migration->redirect = value;
		return true;
	case 'B':
		migration->copy_to = value;
		return true;
	case 'm':
		return true; /* the body and the subject are never replaced */
	case 'D':
		add_elements(migration, &migration->hosts, value);
		return true;
	case 'd':
		return migration->debug = true;
	default:
		return take_without_equivalent(migration, option);
	}
}

/* False: it has nothing to do with TLS. */
static bool take_spamc_tls(struct migration *migration, int option, const char *value)
{
	switch (option) {
	case 'S':
		return migration->tls = true;
	case SPAMC_CA_FILE:
		migration->ca_file = value;
		return true;
	case SPAMC_CERT:
		migration->cert_file = value;
		return true;
	case SPAMC_KEY:
		migration->key_file = value;
		return true;
	case SPAMC_CA_PATH:
		return miss(migration,
			"spamc --ssl-ca-path: put the certificates into one file and name it as "
			"ca_file");
	default:
		return false;
	}
}

static bool take_spamc_option(struct migration *migration, int option, const char *value)
{
	switch (option) {
	case 'd':
		add_elements(migration, &migration->hosts, value);
		return true;
	case 'p':
		migration->port = value;
		return true;
	case 'U':
		migration->spamd_socket = value;
		return true;
	case 's':
		migration->max_size = value;
		return true;
	case 't':
		migration->timeout = value;
		return true;
	case 'u':
		migration->spamc_user = value;
		return true;
	case 'x':
	case 'X':
		if (migration->fail_closed)
			return true;
		migration->fail_closed = true;
		return miss(migration,
			"spamc -x, -X: mail is now put off without a verdict; spamass-milter 0.4.0 "
			"passes it all the same");
	case 'H':
	case 'n':
	case SPAMC_RETRIES:
		return true; /* servers share the load, and the deadline bounds every attempt */
	case 'l':
	case SPAMC_LOG:
		return true;
	case 'F':
		return miss(migration,
			"spamc -F: the options in that file are not read; give them "
			"behind --");
	case 'z':
		return miss(migration, "spamc -z: requests are not compressed");
	case '4':
	case '6':
		return miss(migration, "spamc -4, -6: name the server by its address to choose");
	case '?':
	case ':':
		return false;
	default:
		if (take_spamc_tls(migration, option, value))
			return true;
		return miss(migration,
			"a spamc option that changes what spamc prints has no "
			"counterpart: spamd is asked for its verdict");
	}
}

/* The array that getopt wants: NULL at its end, the strings still the list's. */
static char **as_argv(const struct strlist *words, size_t from, int *ret_argc)
{
	char **argv = calloc(words->count + 2, sizeof(*argv));

	if (argv == NULL)
		return NULL;
	argv[0] = (char *)"options";
	for (size_t i = from; i < words->count; i++)
		argv[1 + i - from] = words->items[i];
	*ret_argc = (int)(1 + words->count - from);
	return argv;
}

static int read_spamc(struct migration *migration, int argc, char **argv, struct err *err)
{
	int option, result = 0;

	opterr = 0;
	optind = 0;
	while (result == 0 &&
		(option = getopt_long(argc, argv, SPAMC_OPTIONS, spamc_long, NULL)) != -1)
		if (!take_spamc_option(migration, option, optarg))
			result = err_set(err, "spamc option %s: %s", argv[optind - 1],
				option == ':' ? "its value is missing" : "not known");
	if (result == 0 && optind < argc)
		result = err_set(err, "spamc takes no operand: %s", argv[optind]);
	return result;
}

int migration_read(struct migration *migration, const struct strlist *words, struct err *err)
{
	int argc = 0, option, result = 0;
	char **argv = as_argv(words, 0, &argc);

	if (argv == NULL)
		return err_set(err, "out of memory");
	opterr = 0;
	optind = 0;
	while (result == 0 && (option = getopt(argc, argv, MILTER_OPTIONS)) != -1)
		if (option == ':')
			result = err_set(err, "option -%c: its value is missing", optopt);
		else if (option == '?' || !take_milter_option(migration, option, optarg))
			result = err_set(err, "option -%c: not known", optopt);
	/* What is left belongs to spamc, with or without a -- before it. */
	if (result == 0 && optind < argc)
		result = read_spamc(migration, argc - optind + 1, argv + optind - 1, err);
	free(argv);
	if (result == 0 && migration->out_of_memory)
		result = err_set(err, "out of memory");
	return result;
}

void migration_free(struct migration *migration)
{
	strlist_free(&migration->networks);
	strlist_free(&migration->exempt);
	strlist_free(&migration->hosts);
	strlist_free(&migration->missing);
}
