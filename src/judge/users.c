/* SPDX-License-Identifier: BSD-2-Clause */
/* As which users a message is scored. */
#include "judge/users.h"

#include <stdlib.h>
#include <string.h>

#include "policy/user.h"

/* Is this the scorer that a message is given to while all is well? */
static bool is_asked_first(const struct settings *settings, const struct scorer_setting *scorer)
{
	for (size_t i = 0; i < settings->scorer_count; i++)
		if (!settings->scorers[i].is_shadow)
			return &settings->scorers[i] == scorer;
	return false;
}

/* The number of a name, which is entered when it is new. False: out of memory. */
static bool number_of(struct users *users, const char *name, size_t *ret_number)
{
	size_t number = 0;

	while (number < users->names.count && strcmp(users->names.items[number], name) != 0)
		number++;
	*ret_number = number;
	return number < users->names.count || strlist_add(&users->names, name);
}

/* All are one group for nobody. */
static bool join_all(struct users *users, size_t count)
{
	strlist_free(&users->names);
	memset(users->of, 0, count * sizeof(*users->of));
	return strlist_add(&users->names, "");
}

bool users_build(struct users *ret_users, const struct settings *settings,
	const struct scorer_setting *scorer, const struct strlist *recipients,
	const struct policy_fields *policies)
{
	size_t max = scorer == NULL ? 0 : is_asked_first(settings, scorer) ? scorer->max_users : 1;
	struct users users = { .of = calloc(recipients->count + 1, sizeof(*users.of)) };
	bool good = users.of != NULL;

	for (size_t i = 0; good && max > 0 && i < recipients->count; i++) {
		char user[POLICY_USER_SIZE];

		if (policies != NULL && policies[i].accepted)
			continue;
		policy_user(settings, scorer, recipients->items[i], user);
		good = number_of(&users, user, &users.of[i]);
		if (users.names.count > max)
			max = 0;
	}
	if (good && (max == 0 || users.names.count == 0))
		good = join_all(&users, recipients->count);
	if (!good)
		users_free(&users);
	*ret_users = users;
	return good;
}

void users_free(struct users *users)
{
	strlist_free(&users->names);
	free(users->of);
	*users = (struct users){ 0 };
}
