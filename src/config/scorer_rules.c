/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules between the options of one scorer, and the secrets that they name. */
#include <string.h>

#include "config/checks.h"
#include "config/secret.h"
#include "config/settings_private.h"
#include "config/values.h"

/* Longest password or header line in a file, bytes. */
#define SECRET_MAX 4096

static unsigned line_of(
	const struct scorer_setting *scorer, const struct scan_section *section, const char *name)
{
	return section == NULL ? scorer->origin.line :
				 scan_line(section, option_find(SECTION_SCORER, name), 0);
}

/* The one protocol that knows this option. */
static const char *protocol_of(const struct option *option)
{
	if (option_fits(option, SCORER_SPAMD))
		return "spamd";
	return option_fits(option, SCORER_JSON) ? "json" : "rspamd";
}

/* Options that only another protocol knows would do nothing. */
static void check_protocol(const struct scorer_setting *scorer, const struct scan_section *section,
	struct complaints *complaints)
{
	for (size_t i = 0; section != NULL && i < option_count; i++)
		if (!option_fits(&options[i], scorer->protocol) &&
			scan_find(section, &options[i]) != NULL)
			complain(complaints, scan_line(section, &options[i], 0),
				"scorer %s: %s belongs to protocol = %s; remove it", scorer->name,
				options[i].name, protocol_of(&options[i]));
}

static void check_servers(const struct scorer_setting *scorer, struct complaints *complaints)
{
	if (scorer->servers.count == 0 && !complaints_any(complaints))
		complain(complaints, scorer->origin.line,
			"scorer %s has no servers; add servers = { \"unix:/path\" } or %s",
			scorer->name,
			scorer->protocol == SCORER_SPAMD ? "tcp://host:port" : "http://host:port");
}

static void check_certificate(const struct scorer_setting *scorer, struct complaints *complaints)
{
	if (scorer->cert_file != NULL && scorer->key_file != NULL &&
		(scorer->cert_file[0] == '\0') != (scorer->key_file[0] == '\0'))
		complain(complaints, scorer->origin.line,
			"scorer %s: cert_file and key_file belong together; set both or none",
			scorer->name);
}

static void check_members(const struct scorer_setting *scorer, const struct scan_section *section,
	struct complaints *complaints)
{
	if (scorer->protocol != SCORER_JSON || scorer->request != REQUEST_RAW)
		return;
	if (scorer->envelope == ENVELOPE_MEMBERS)
		complain(complaints, line_of(scorer, section, "envelope"),
			"scorer %s: envelope = members needs request = json; a message as it is "
			"has no members",
			scorer->name);
	if (scorer->members.count > 0)
		complain(complaints, line_of(scorer, section, "members"),
			"scorer %s: members need request = json; a message as it is has none",
			scorer->name);
}

/* Read the secret in the file `path` (none when empty), which must be a good value by `check`. */
static char *read_secret(const char *path, const char *user, struct strlist *pool,
	int (*check)(const char *text, struct err *err), struct err *err)
{
	struct buf line;
	char *copy = NULL;

	buf_init(&line, SECRET_MAX);
	if (secret_read(path, user, &line, err) == 0 && check(buf_text(&line), err) == 0) {
		copy = pool_text(pool, buf_text(&line));
		if (copy == NULL)
			err_set(err, "out of memory");
	}
	secret_forget(&line);
	return copy;
}

/* What is wrong with a file's content is said without the content. */
static int check_auth_line(const char *text, struct err *err)
{
	if (check_http_header(text, NULL) < 0)
		return err_set(err,
			"holds no header line; write one line such as "
			"\"Authorization: Bearer TOKEN\" into it");
	return 0;
}

static int check_password(const char *text, struct err *err)
{
	if (check_header_word(text, NULL) < 0 || text[0] == '\0')
		return err_set(err,
			"holds no password; write one line of printable ASCII "
			"without blanks into it");
	return 0;
}

static void read_secrets(struct scorer_setting *scorer, const struct scan_section *section,
	struct strlist *pool, const char *user, struct complaints *complaints)
{
	struct err err = ERR_INIT, auth_err = ERR_INIT;

	if (scorer->password_file != NULL && scorer->password_file[0] != '\0') {
		scorer->password =
			read_secret(scorer->password_file, user, pool, check_password, &err);
		if (scorer->password == NULL)
			complain(complaints, line_of(scorer, section, "password_file"),
				"password_file: %s: %s", scorer->password_file, err.text);
	}
	if (scorer->auth_file != NULL && scorer->auth_file[0] != '\0') {
		scorer->auth_line =
			read_secret(scorer->auth_file, user, pool, check_auth_line, &auth_err);
		if (scorer->auth_line == NULL)
			complain(complaints, line_of(scorer, section, "auth_file"),
				"auth_file: %s: %s", scorer->auth_file, auth_err.text);
	}
}

void scorer_validate(struct scorer_setting *scorer, const struct scan_section *section,
	struct strlist *pool, const char *user, struct complaints *complaints)
{
	check_servers(scorer, complaints);
	check_certificate(scorer, complaints);
	check_protocol(scorer, section, complaints);
	check_members(scorer, section, complaints);
	read_secrets(scorer, section, pool, user, complaints);
}
