/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for single text values, named in the option table. Each says what to write instead. */
#ifndef SPAMBRIDGE_CONFIG_CHECKS_H
#define SPAMBRIDGE_CONFIG_CHECKS_H

#include "base/err.h"

/* A group or user name as useradd(8) allows it; a number is refused. `check_user` refuses root. */
int check_account(const char *text, struct err *err);
int check_user(const char *text, struct err *err);

/* The path of a unix socket, or "". */
int check_socket(const char *text, struct err *err);

/* `address:port`, or "". */
int check_http_listen(const char *text, struct err *err);

/* Printable ASCII without blanks and quotes, neither letter, digit, '@' nor '.'. */
int check_delimiter(const char *text, struct err *err);

/* What may stand behind "User:" in a spamd request: printable ASCII without blanks. */
int check_spamd_user(const char *text, struct err *err);

/* The path of a URL: begins with '/', printable ASCII without blanks and '#'; or "". */
int check_url_path(const char *text, struct err *err);

/* A value that goes into a request header: printable ASCII without blanks. */
int check_header_word(const char *text, struct err *err);

/* A name of a JSON member: printable ASCII. */
int check_name(const char *text, struct err *err);

/* A fixed member of a request object: "name=value". */
int check_member(const char *text, struct err *err);

/*
 * A request header: "Name: value" (RFC 9110 section 5), none that describes the connection or the
 * body, which libcurl writes itself.
 */
int check_http_header(const char *text, struct err *err);

/* A JSON pointer (RFC 6901), or "": what protocol/json_verdict.h takes; a unit test compares. */
int check_pointer(const char *text, struct err *err);

/* An SMTP reply text: printable ASCII, the references of protocol/template.h and no others. */
int check_reply_text(const char *text, struct err *err);

/*
 * An SMTP reply code and an enhanced status code, both of class 4 or both of class 5: "550 5.7.1"
 * (RFC 5321 section 4.2, RFC 3463). 421 is refused, since it ends the session (section 3.8).
 */
int check_reply_code(const char *text, struct err *err);

/* An address that mail can be sent to: local@domain in ASCII without blanks and brackets; or "". */
int check_address(const char *text, struct err *err);

/* Such an address, or one of the words for `digest_to` (config/policy_fields.h). */
int check_digest_to(const char *text, struct err *err);

#endif
