/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys under which something can be said of an address. */
#include "policy/address_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "config/names.h"

/* The domain and each of its parents: example.com, .com */
static void visit_domain(const char *domain, address_key_visit *visit, void *context)
{
	const char *dot;

	visit(domain, context);
	if (domain[0] == '[')
		return;
	for (dot = strchr(domain, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
		visit(dot, context);
}

void address_keys(
	const char *address, const char *delimiters, address_key_visit *visit, void *context)
{
	char local[LIMIT_ADDRESS], domain[LIMIT_ADDRESS], key[2 * LIMIT_ADDRESS];
	size_t plain;

	if (!address_normalise(address, local, domain, sizeof(local)))
		return;
	snprintf(key, sizeof(key), "%s@%s", local, domain);
	visit(key, context);
	/* A delimiter at the start begins no sub-address, and in quotes it is part of the name. */
	plain = local[0] == '"' ? strlen(local) : 1 + strcspn(local + 1, delimiters);
	if (local[plain] != '\0') {
		local[plain] = '\0';
		snprintf(key, sizeof(key), "%s@%s", local, domain);
		visit(key, context);
	}
	visit_domain(domain, visit, context);
}
