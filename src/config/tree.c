/* SPDX-License-Identifier: BSD-2-Clause */
/* libConfuse: the option list made from the table, and the parse of a scanned text. */
#include "config/tree.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "config/options.h"

/* One list for each kind of section; the top level also lists the sections. */
struct lists {
	cfg_opt_t options[SECTION_COUNT][OPTION_ROWS_MAX + SECTION_COUNT + 1];
};

static pthread_mutex_t scanner_lock = PTHREAD_MUTEX_INITIALIZER;

/* libConfuse would write to standard error; what it has to say is said by tree_parse(). */
static void keep_quiet(cfg_t *cfg, const char *format, va_list arguments)
{
	(void)cfg;
	(void)format;
	(void)arguments;
}

/* Every value is a string to libConfuse, so that units, ranges and lines are ours. */
static size_t list_options(enum option_section kind, cfg_opt_t *list)
{
	size_t count = 0;

	for (size_t i = 0; i < option_count; i++) {
		cfg_opt_t one = CFG_STR(options[i].name, NULL, CFGF_NODEFAULT);
		cfg_opt_t many = CFG_STR_LIST(options[i].name, NULL, CFGF_NODEFAULT);

		if ((options[i].sections & SECTION_BIT(kind)) != 0)
			list[count++] = option_is_list(&options[i]) ? many : one;
	}
	return count;
}

static void make_lists(struct lists *lists)
{
	const cfg_opt_t end = CFG_END();
	cfg_opt_t *top = lists->options[SECTION_TOP];
	size_t count = list_options(SECTION_TOP, top);

	for (unsigned kind = SECTION_TOP + 1; kind < SECTION_COUNT; kind++) {
		cfg_opt_t *list = lists->options[kind];
		cfg_opt_t section = CFG_SEC(section_kinds[kind].name, list,
			CFGF_NODEFAULT |
				(section_kinds[kind].titled ? CFGF_MULTI | CFGF_TITLE : 0));

		list[list_options((enum option_section)kind, list)] = end;
		top[count++] = section;
	}
	top[count] = end;
}

cfg_t *tree_parse(const struct buf *text, struct err *err)
{
	struct lists lists;
	cfg_t *cfg;
	int result;

	make_lists(&lists);
	cfg = cfg_init(lists.options[SECTION_TOP], CFGF_NONE);
	if (cfg == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	cfg_set_error_function(cfg, keep_quiet);
	pthread_mutex_lock(&scanner_lock);
	result = cfg_parse_buf(cfg, buf_text(text));
	pthread_mutex_unlock(&scanner_lock);
	if (result == CFG_SUCCESS)
		return cfg;
	err_set(err, "libConfuse cannot read the text; is memory short?");
	tree_free(&cfg);
	return NULL;
}

void tree_free(cfg_t **tree)
{
	if (*tree == NULL)
		return;
	/* cfg_free() of a whole tree also destroys the scanner's buffers, whoever uses them. */
	pthread_mutex_lock(&scanner_lock);
	cfg_free(*tree);
	pthread_mutex_unlock(&scanner_lock);
	*tree = NULL;
}
