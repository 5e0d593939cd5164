/* SPDX-License-Identifier: BSD-2-Clause */
/* From what is known of a message to the metadata and the file that go into the quarantine. */
#ifndef SPAMBRIDGE_QUARANTINE_STORE_ITEM_H
#define SPAMBRIDGE_QUARANTINE_STORE_ITEM_H

#include "base/err.h"
#include "quarantine/item_file.h"
#include "quarantine/store.h"

/* Fill *ret and `ret_id` for one new item. On failure *ret is empty. */
int store_item_prepare(struct item_file *ret, const struct store_request *request,
	char ret_id[ITEM_ID_SIZE], struct err *err);

/*
 * The domain that all recipients are in, if it can name a folder; else "": whoever may read one
 * domain's mail must not learn of another's recipients.
 */
void store_item_domain(const struct strlist *recipients, char ret_name[DIRECTORY_DOMAIN_SIZE]);

#endif
