/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON as it was written, or none. jansson 2.14 leaves bytes of a token out when there is no memory
 * for them (load.c, lex_save), and reads beyond a token whose buffer could not grow when the next
 * allocation succeeds again (lex_scan_string): a score or an address would be another one. A number
 * or word that loses its last byte so ends the program (lex_unget_unsave).
 */
#ifndef SPAMBRIDGE_PROTOCOL_JSON_LOAD_H
#define SPAMBRIDGE_PROTOCOL_JSON_LOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Like json_loadb() without duplicate keys. NULL with *ret_no_memory set when any allocation failed, or
 * clear and *ret_error filled in when it is no JSON. The caller releases the value.
 */
json_t *json_load_whole(
	const char *bytes, size_t length, bool *ret_no_memory, json_error_t *ret_error);

#endif
