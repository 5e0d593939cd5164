/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys under which something can be said of an address, from the most to the least specific:
 * the address, the address without its sub-address, its domain, the nearest ".parent", farther
 * ones. All are normalised as config/names.h does it. Pure.
 */
#ifndef SPAMBRIDGE_POLICY_ADDRESS_KEYS_H
#define SPAMBRIDGE_POLICY_ADDRESS_KEYS_H

/* Called for each key. */
typedef void address_key_visit(const char *key, void *context);

/*
 * Visit every key of `address` (no angle brackets); none for what is no address. `delimiters` are
 * the characters that may begin a sub-address.
 */
void address_keys(
	const char *address, const char *delimiters, address_key_visit *visit, void *context);

#endif
