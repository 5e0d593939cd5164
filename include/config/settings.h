/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration as an immutable, reference-counted snapshot. A session pins the snapshot that
 * it began with; a reload makes a new one. Strings are owned by the snapshot.
 */
#ifndef SPAMBRIDGE_CONFIG_SETTINGS_H
#define SPAMBRIDGE_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strlist.h"
#include "config/network.h"
#include "config/policy_fields.h"

enum oversize {
	OVERSIZE_HEAD,
	OVERSIZE_PASS,
	OVERSIZE_QUARANTINE,
	OVERSIZE_TEMPFAIL,
};

enum scorer_protocol {
	SCORER_SPAMD,
	SCORER_RSPAMD,
	SCORER_JSON,
};

enum server_transport {
	TRANSPORT_TCP,
	TRANSPORT_UNIX,
	TRANSPORT_TLS,
};

/* What a JSON service is sent: the message itself, or an object that holds it. */
enum request_form {
	REQUEST_RAW,
	REQUEST_JSON,
};

enum message_encoding {
	MESSAGE_TEXT, /* invalid UTF-8 becomes U+FFFD */
	MESSAGE_BASE64,
};

/* How a JSON service is told of client and envelope. */
enum envelope_form {
	ENVELOPE_NONE,
	ENVELOPE_HEADERS, /* request headers, as rspamd takes them */
	ENVELOPE_MEMBERS, /* members of the request object */
};

/* One `servers` entry, parsed. */
struct server_setting {
	char *text; /* as written: names the server in logs, counters and status */
	enum server_transport transport;
	char *host; /* name or literal address without brackets; path of a unix socket */
	uint16_t port;
	char *path; /* URL path prefix for HTTP, "" otherwise */
};

struct server_list {
	struct server_setting *items;
	size_t count;
};

struct scorer_setting {
	char *name;
	bool is_shadow; /* no message waits for it */
	struct origin origin;
	enum scorer_protocol protocol;
	struct server_list servers;
	unsigned max_connections; /* per server */
	char *user;               /* spamd User: "" none, "recipient", "domain", else fixed */
	unsigned max_users;       /* scans of one message for different users */
	int64_t hedge_after_ms;   /* -1: half the deadline; 0: never */
	char *ca_file, *cert_file, *key_file; /* "": none */

	/* rspamd */
	char *settings_id; /* "": none */
	bool trust_action; /* rspamd's action decides, not its score */
	struct server_list learn_servers;
	char *password_file; /* "": none */
	char *password;      /* what it holds; NULL: none. Never logged or printed */

	/* JSON services; pointers are JSON pointers, "": the reply has no such part */
	char *path, *health_path; /* "": none */
	enum request_form request;
	char *message_member;
	enum message_encoding message_encoding;
	struct strlist members; /* "name=value" */
	enum envelope_form envelope;
	struct strlist headers; /* "Name: value" */
	char *auth_file;        /* "": none */
	char *auth_line; /* the header line that it holds; NULL: none. Never logged or printed */
	char *score, *required, *tests, *tests_name, *report, *ok, *error;
};

enum listen_family {
	LISTEN_UNIX,
	LISTEN_INET,
	LISTEN_INET6,
};

struct listen_setting {
	char *text; /* as written, which is also what libmilter takes */
	enum listen_family family;
	char *path; /* unix */
	char *host; /* inet, inet6 */
	uint16_t port;
};

struct outbound_setting {
	bool scan;
	struct policy_fields fields;
};

struct quarantine_setting {
	char *directory;
	bool domain_folders; /* a Maildir for each recipient domain */
	uint64_t max_size;   /* bytes of all items together */
	unsigned max_items;  /* count */
	uint64_t reserve;    /* bytes of the file system that are left free */
	char *release;       /* "sendmail" or smtp://host:port */
	char *digest_from;   /* "": no digests are sent */
};

struct settings_private; /* what the snapshot owns besides; see src/config/settings.c */

struct settings {
	char *path; /* of the file that was read */
	struct listen_setting listen;
	char *socket_group; /* "": leave as it is */
	mode_t socket_mode;
	char *control;     /* path of the control socket, "": none */
	char *http_listen; /* "": none; see config/endpoint.h */
	struct network_list http_allow;
	char *user;
	enum log_target log;
	enum log_level log_level;
	int64_t deadline_ms;
	size_t max_scan_size;
	enum oversize oversize;
	size_t message_memory; /* of a body kept in memory before it goes to a file, bytes */
	char *temp_directory;
	unsigned max_sessions;
	int64_t resolve_every_ms; /* between look-ups of a server's host name */
	int64_t late_verdicts_ms; /* how long a late verdict is kept; 0: none are */
	unsigned late_verdict_limit;
	struct network_list trusted_networks;
	bool skip_authenticated;
	struct network_list keep_spam_headers_from;
	struct scorer_setting *scorers;
	size_t scorer_count;
	char *shadow; /* name of the scorer that is only compared with the others; "": none */
	unsigned shadow_share;       /* of scored messages that it is given, hundredths */
	struct policy_fields policy; /* every field set */
	struct outbound_setting outbound;
	char *recipient_delimiter; /* characters that may begin a sub-address, "": none */
	char *domain_table;        /* path of the table, "": none */
	char *alias_table;         /* the same */
	struct quarantine_setting quarantine;
	struct policy_index
		*index; /* domain, address and table entries; see config/policy_index.h */
	struct policy_index *senders; /* sender entries: of outbound mail */
	struct alias_table *aliases;  /* never NULL */
	struct settings_private *private;
};

/*
 * Read and validate a file. Returns a snapshot with one owner, or NULL with `errors` holding one
 * line for each error ("file:line: what is wrong; what to do"), in the order of the file. The
 * file is read once, through one descriptor, so what was checked is what is used. NULL without
 * any line in `errors` means that memory ran out even for the message. May be called by several
 * threads: libConfuse's scanner is global, so loads take turns behind one lock.
 */
struct settings *settings_load(const char *path, struct strlist *errors);

/* The same from text that is in memory; `path` is what errors and origins call it. */
struct settings *settings_parse(
	const char *path, const char *text, size_t length, struct strlist *errors);

/* One more owner; thread-safe. Returns `settings`. */
struct settings *settings_ref(struct settings *settings);

/* One owner less; the last one frees it. Thread-safe. Accepts NULL inside and nulls it. */
void settings_free(struct settings **settings);

/* Does the user that this scorer is told depend on the recipient? */
bool scorer_user_varies(const struct scorer_setting *scorer);

/* Where an option of the top level that is no policy's is set: for explanations. */
struct origin settings_origin(const struct settings *settings, const char *option);

/* Open files that the daemon can need with these settings: sessions, scorers' slots, its own. */
unsigned long long settings_descriptors_needed(const struct settings *settings);

/*
 * Can any recipient's mail end in the quarantine? Then the whole message has to be collected;
 * else its head is enough for the scorer.
 */
bool settings_need_whole_message(const struct settings *settings);

/* Can any message be left to the mail server's hold queue? */
bool settings_hold(const struct settings *settings);

/* Does any scorer decide by itself (trust_action)? It may then want to change the envelope. */
bool settings_trust_a_scorer(const struct settings *settings);

/* Can any message get a further recipient? Only then is the mail server asked to allow that. */
bool settings_add_recipients(const struct settings *settings);

/*
 * The effective configuration as text that settings_load() takes again: every supported option in
 * table order, then the domain {} and address {} sections. The entries of a domain table are not
 * repeated, only its path. False when `out` has failed.
 */
bool settings_print(const struct settings *settings, struct buf *out);

#endif
