/* SPDX-License-Identifier: BSD-2-Clause */
/* Scores as integers in thousandths: 7.5 is 7500. Parsed once, locale-free, then only compared. */
#ifndef SPAMBRIDGE_BASE_SCORE_H
#define SPAMBRIDGE_BASE_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any score that score_format() writes, with its NUL. */
#define SCORE_TEXT_SIZE 24

/*
 * Parse `sign digits [. digits]` over the whole of `text`: no blanks, no exponent, no comma, no
 * "inf". Digits beyond the third decimal are cut towards zero. "-0.0" is 0. False when malformed
 * or beyond LIMIT_SCORE_MILLI either way; *ret_milli is then untouched.
 */
bool score_parse(const char *text, size_t length, int32_t *ret_milli);

/*
 * Write with 1 to 3 decimals, rounded half away from zero (SpamAssassin prints one, "%2.1f");
 * with 0 as many as the score needs (5.0, 7.25, 0.125). Zero has no sign. Returns `text`, which
 * has SCORE_TEXT_SIZE bytes.
 */
const char *score_format(int32_t milli, int decimals_wanted, char *text);

#endif
