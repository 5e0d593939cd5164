/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes SMTP addresses on their whole way: from the mail server, through normal form and look-up,
 * to the one who releases a message. What counts as safe there is checked here by other means.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/names.h"
#include "mail/envelope.h"
#include "policy/mailbox.h"
#include "policy/recipient.h"
#include "quarantine/address.h"
#include "target.h"

#define PART_SIZE 1024

static struct settings *settings;

static void begin(void)
{
	static const char text[] = "recipient_delimiter = \"+-\"\n"
				   "scorer \"s\" { servers = { \"unix:/nonexistent\" } }\n"
				   "domain \"example.org\" { tag = 1.0 }\n"
				   "domain \".example.org\" { tag = 2.0 }\n"
				   "domain \"[192.0.2.1]\" { tag = 3.0 }\n"
				   "address \"user@example.org\" { tag = 4.0 accept_senders = { "
				   "\".example.net\" } }\n";
	struct strlist errors = { 0 };

	settings = settings_parse("fuzz.conf", text, strlen(text), &errors);
	assert(settings != NULL);
}

/* One mailbox, as RFC 5321 section 4.1.2 has it: outside quotes nothing ends or parts it. */
static void check_safe(const char *address)
{
	bool quoted = address[0] == '"';
	int signs = 0;

	assert(address[0] != '-' && address[0] != '\0');
	for (const char *at = address + quoted; *at != '\0'; at++) {
		assert((unsigned char)*at >= ' ' && *at != 0x7f);
		if (quoted && *at == '\\') {
			assert(*++at != '\0');
			continue;
		}
		if (quoted) {
			quoted = *at != '"';
			continue;
		}
		assert(strchr(" <>,;\\\"()", *at) == NULL);
		signs += *at == '@';
	}
	assert(!quoted && signs <= 1);
}

static void check_header_form(const char *address)
{
	struct buf out;

	buf_init(&out, strlen(address) + 16);
	assert(address_put_header(&out, address));
	assert(out.data[0] == '<' && out.data[out.length - 1] == '>');
	assert(strpbrk(buf_text(&out), "\r\n \t") == NULL);
	buf_free(&out);
}

/* What stands for it where mail is counted: as long, without capitals, and the same folded again. */
static void check_folded(const char *address)
{
	char *folded = address_folded(address), *again;

	assert(folded != NULL && strlen(folded) == strlen(address));
	assert(strpbrk(folded, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
	again = address_folded(folded);
	assert(again != NULL && strcmp(folded, again) == 0);
	free(again);
	free(folded);
}

/* A normal form is its own normal form. */
static void check_normal_form(const char *address)
{
	char local[PART_SIZE], domain[PART_SIZE], again[PART_SIZE];

	if (!address_normalise(address, local, domain, sizeof(local)))
		return;
	assert(local[0] != '\0' && strchr(domain, '@') == NULL);
	if (domain[0] != '[' && domain_normalise(domain, again, sizeof(again)))
		assert(strcmp(domain, again) == 0);
	assert(addresses_match(address, address));
}

static void check_look_up(const char *address)
{
	const struct recipient_facts facts = { .sender = address };
	struct policy_fields fields;
	struct mailbox mailbox;

	policy_mailbox(settings, address, &mailbox);
	assert(strlen(mailbox.address) < sizeof(mailbox.address));
	recipient_policy(settings, &facts, address, &fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *given = calloc(1, size + 1), *address;

	if (settings == NULL)
		begin();
	assert(given != NULL);
	if (size > 0)
		memcpy(given, data, size);
	address = address_strip(given);
	assert(address != NULL);
	if (address_is_safe(address))
		check_safe(address);
	check_header_form(address);
	check_folded(address);
	check_normal_form(address);
	check_look_up(address);
	assert(address_equal(address, address));
	free(address);
	free(given);
	return 0;
}
