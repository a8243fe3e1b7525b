// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The users and groups that fuzzers know: two of each, wherever they run, and no file is read for them, which
 * would be most of what a fuzzer of names does.
 */
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>

struct passwd *__wrap_getpwnam(const char *name);
struct group *__wrap_getgrnam(const char *name);

struct passwd *__wrap_getpwnam(const char *name)
{
	static struct passwd root = { .pw_uid = 0 }, alice = { .pw_uid = 1000 };

	return !strcmp(name, "root") ? &root : !strcmp(name, "alice") ? &alice : NULL;
}

struct group *__wrap_getgrnam(const char *name)
{
	static struct group root = { .gr_gid = 0 }, staff = { .gr_gid = 50 };

	return !strcmp(name, "root") ? &root : !strcmp(name, "staff") ? &staff : NULL;
}
