/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of the digests that went out.
 *
 * digest/sent.N says of period N up to when its digests report, then whom one went to, a line each;
 * digest/last holds the time up to which everybody was told. While somebody could not be sent his
 * digest the records of periods stay, so that the next one tells him everything and the others
 * only what is new. After LIMIT_DIGEST_PERIODS he is given up.
 */
#ifndef SPAMBRIDGE_QUARANTINE_DIGEST_RECORD_H
#define SPAMBRIDGE_QUARANTINE_DIGEST_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/digest_mail.h"
#include "quarantine/directory.h"

/* How long mail may be held without a digest: a period and the timer's delay, seconds. */
#define DIGEST_OVERDUE_S (DIGEST_PERIOD_S + 7200)

/* Bytes of a record's file name. */
#define DIGEST_RECORD_NAME 32

/* Write "sent.N". */
void digest_record_name(int64_t number, char ret_name[DIGEST_RECORD_NAME]);

/* Up to when everybody has been told, seconds since 1970; 0: no digest is complete yet. */
int64_t digest_reported(const struct directory *directory);
int digest_set_reported(const struct directory *directory, int64_t time_s, struct err *err);

/* One period's. */
struct digest_record {
	int64_t number; /* -1: there is none */
	int64_t until_s;
	size_t count; /* addressees */
	bool torn;    /* the last line has no end */
};

/* Who was told up to when, by all records. */
struct digest_told {
	struct digest_record latest; /* the newest record that was read */
	void *until_of;              /* address in lower case to time; a JSON object */
};

/*
 * Read the records up to period `number` and remove those that are of no use any more. -1 with
 * *ret empty when that fails.
 */
int digest_told_read(const struct directory *directory, int64_t number, struct digest_told *ret,
	struct err *err);
void digest_told_free(struct digest_told *told);

/* Up to when this addressee was told; 0: no record names him. */
int64_t digest_told_until(const struct digest_told *told, const char *address);

struct digest_state {
	int64_t last_s;    /* when digests went out last, or there was nothing to tell; 0: never */
	int64_t waiting_s; /* since when the oldest item is held that came after; 0: none did */
};

/*
 * How it stands at `now_s`, from names and small files alone; times in the future are a clock's
 * mistake and count as 0. -1 when that cannot be read.
 */
int digest_state(const struct directory *directory, int64_t now_s, struct digest_state *ret,
	struct err *err);

/* Has something waited for a digest for too long? */
bool digest_is_overdue(const struct digest_state *state, int64_t now_s);

#endif
