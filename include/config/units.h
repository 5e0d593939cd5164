/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers with units, booleans and modes as text. False leaves the result alone. */
#ifndef SPAMBRIDGE_CONFIG_UNITS_H
#define SPAMBRIDGE_CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A number with one of the units ms s m h d; 0 needs none. Range errors are the caller's. */
bool duration_parse(const char *text, int64_t *ret_ms);
bool duration_print(int64_t ms, struct buf *out);

/* A number with K, M or G (1,024 each) or none: bytes. */
bool size_parse(const char *text, int64_t *ret_bytes);
bool size_print(int64_t bytes, struct buf *out);

/* true false yes no on off, any case. */
bool bool_parse(const char *text, bool *ret_value);

/* Digits only. */
bool count_parse(const char *text, int64_t *ret_value);

/* Three to six octal digits. */
bool mode_parse(const char *text, int64_t *ret_value);

#endif
