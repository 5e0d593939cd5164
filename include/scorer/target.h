/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exchange needs to know of the server that it is with. All borrowed from the pool. */
#ifndef SPAMBRIDGE_SCORER_TARGET_H
#define SPAMBRIDGE_SCORER_TARGET_H

#include "config/settings.h"
#include "scorer/address.h"
#include "scorer/idle.h"

struct exchange_target {
	const struct scorer_setting *scorer;
	const struct server_setting *server;
	struct server_address address;
	struct idle_store *idle; /* connections to the server that can be used again; NULL: none */
};

#endif
