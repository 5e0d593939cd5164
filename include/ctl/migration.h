/* SPDX-License-Identifier: BSD-2-Clause */
/* What another filter's options mean, in terms of our configuration. */
#ifndef SPAMBRIDGE_CTL_MIGRATION_H
#define SPAMBRIDGE_CTL_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strlist.h"

/* Texts are borrowed from the words that were read, NULL when not given. */
struct migration {
	const char *listen; /* as spamass-milter takes it */
	const char *socket_group;
	const char *socket_mode;
	const char *user;           /* -u */
	const char *default_domain; /* -e */
	const char *spamc_user;
	bool skip_authenticated;
	bool tag_only; /* -A */
	bool debug;
	struct strlist networks;  /* -i, each element */
	struct strlist exempt;    /* -T, each element */
	const char *reject;       /* -r */
	const char *quarantine;   /* -Q */
	const char *reject_text;  /* -R */
	const char *reply_code;   /* -c */
	const char *status_code;  /* -C */
	const char *redirect;     /* -b */
	const char *copy_to;      /* -B */
	struct strlist hosts;     /* -D, spamc -d, each element */
	const char *port;         /* spamc -p */
	const char *spamd_socket; /* spamc -U */
	const char *max_size;     /* spamc -s */
	const char *timeout;      /* spamc -t */
	bool tls;                 /* spamc -S */
	const char *ca_file;      /* spamc --ssl-ca-file */
	const char *cert_file;    /* spamc --ssl-cert */
	const char *key_file;     /* spamc --ssl-key */
	bool fail_closed;         /* spamc -x, -X */
	struct strlist missing;   /* one sentence for each option that has no equivalent */
	bool out_of_memory;       /* something of it was lost */
};

/*
 * Read the options of spamass-milter (those of Debian's and of the fork by A. Balholm), with
 * spamc's behind "--". -1 with the reason for an option that neither knows.
 */
int migration_read(struct migration *migration, const struct strlist *words, struct err *err);
void migration_free(struct migration *migration);

/*
 * Append a complete commented configuration. What cannot be expressed is added to
 * migration->missing, and all of that is in the text, too. False when out of memory.
 */
bool migration_print(struct migration *migration, struct buf *out);

#endif
