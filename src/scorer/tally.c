/* SPDX-License-Identifier: BSD-2-Clause */
/* How exchanges with a server ended. */
#include "scorer/tally.h"

#include <stdlib.h>

struct tally *tally_new(void)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (tally != NULL)
		atomic_init(&tally->owners, 1);
	return tally;
}

struct tally *tally_ref(struct tally *tally)
{
	atomic_fetch_add(&tally->owners, 1);
	return tally;
}

void tally_free(struct tally **tally)
{
	struct tally *gone = *tally;

	*tally = NULL;
	if (gone != NULL && atomic_fetch_sub(&gone->owners, 1) == 1)
		free(gone);
}
