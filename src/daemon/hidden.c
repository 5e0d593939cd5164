/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of the C library that functions of this program hide. */
#include "daemon/hidden.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

hidden_function *hidden_find(_Atomic(hidden_function *) *known, const char *name)
{
	hidden_function *function = atomic_load_explicit(known, memory_order_relaxed);
	void *symbol;

	if (function == NULL) {
		symbol = dlsym(RTLD_NEXT, name);
		memcpy(&function, &symbol, sizeof(function));
		atomic_store_explicit(known, function, memory_order_relaxed);
	}
	return function;
}
