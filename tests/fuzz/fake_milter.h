/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmilter's functions without libmilter: they keep what the filter registers, hand out macros,
 * and check everything that the filter asks the mail server to do. What a mail server would not
 * survive ends the process.
 */
#ifndef SPAMBRIDGE_TESTS_FUZZ_FAKE_MILTER_H
#define SPAMBRIDGE_TESTS_FUZZ_FAKE_MILTER_H

#include <libmilter/mfapi.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"

#define FAKE_MACROS 16

/* One connection of a mail server. */
struct smfi_str {
	void *private_data;
	struct {
		char *name, *value;
	} macros[FAKE_MACROS];
	size_t macro_count;
	bool at_end;               /* inside the callback for the end of a message */
	struct strlist names;      /* of the fields of the message, as they came */
	struct strlist recipients; /* as they came */
	const char *removed_name;  /* of the last field that was removed */
	int removed_instance;      /* and which one of that name */
	size_t removed;            /* fields removed */
	char reply_class;          /* of the reply that was set; 0: none */
};

/* What milter_open() registered. */
extern struct smfiDesc fake_milter;

/* What is written is kept for later: must be over when the mail server waits for an answer. */
extern bool fake_milter_keeps;

/* A message is over: forget its fields, recipients and what was done to it. */
void fake_milter_forget(SMFICTX *context);

/* Fields of the message that a filter of spam must have made itself. */
size_t fake_milter_reserved(const SMFICTX *context);

#endif
