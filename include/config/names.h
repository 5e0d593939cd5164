/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domains and mail addresses in the one form in which they are compared: ASCII lower case, IDN
 * U-labels as A-labels (UTS 46, non-transitional, by libidn2), no trailing dot. Pure.
 */
#ifndef SPAMBRIDGE_CONFIG_NAMES_H
#define SPAMBRIDGE_CONFIG_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Normalise a domain, ".domain" or address literal ("[192.0.2.1]", "[IPv6:2001:db8::1]": the
 * address in its canonical text, RFC 5952) into `out`. False when it is no domain or does not
 * fit; `out` then holds nothing of use. A name that libidn2 refuses but that is plain ASCII is
 * kept as it is in lower case, since mail servers deliver to such names too.
 */
bool domain_normalise(const char *domain, char *out, size_t out_size);

/*
 * Split at the last '@' outside quotes and normalise: the local part in lower case (ASCII; other
 * bytes stay), without quotes that RFC 5321 4.1.2 does not need. Angle brackets are the caller's
 * business. Both outputs have `size_of_each` bytes. False for an address that has no domain, an
 * empty local part, or does not fit.
 */
bool address_normalise(const char *address, char *local, char *domain, size_t size_of_each);

/* Do these address the same mailbox, as far as spelling goes? Two that are no addresses: no. */
bool addresses_match(const char *a, const char *b);

#endif
