// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * --help, dunectl(1) and the bash completion name the same verbs and options. Runs from the top of the
 * source tree. Each of the three is cut to one word a line, sorted, and the results are compared.
 */
#include "tests/unit/suite.h"
#include "tests/unit/test_dunectl_run.h"

#define LIST_MAX 4096

static struct run run;

static void setup(void)
{
	run_setup(&run);
	setenv("DUNECTL", run.program, 1);
}

static void teardown(void)
{
	run_teardown(&run);
}

/* What a bash script prints. */
static void shell(const char *script, char output[LIST_MAX])
{
	char path[128], command[256];
	size_t size;
	FILE *pipe;

	run_file(&run, "script", script, 0644, path);
	snprintf(command, sizeof(command), "bash -o pipefail -u %s", path);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	size = fread(output, 1, LIST_MAX - 1, pipe);
	output[size] = '\0';
	ck_assert_int_eq(pclose(pipe), 0);
	ck_assert_uint_gt(size, 0);
}

#define COMPLETION                                                                                 \
	"complete() { :; }; source dunectl/completion/dunectl.bash\n"                              \
	"complete_words() { COMP_WORDS=(dunectl \"$@\"); COMP_CWORD=$#; COMPREPLY=(); _dunectl;\n" \
	"printf '%s\\n' \"${COMPREPLY[@]}\"; }\n"

START_TEST(verbs_agree)
{
	char help[LIST_MAX], man[LIST_MAX], completion[LIST_MAX];

	shell("\"$DUNECTL\" --help | sed -n '/^Verbs:/,/^$/s/^  \\([a-z]*\\).*/\\1/p' | sort",
	      help);
	shell("sed -n '/^\\.SH VERBS/,/^\\.SH OPTIONS/p' dunectl/dunectl.1 | grep -A1 '^\\.TP' |\n"
	      "sed -n 's/^\\.BR* \\([a-z]*\\).*/\\1/p' | sort",
	      man);
	shell(COMPLETION "complete_words '' | grep -v ^- | sort", completion);
	ck_assert_ptr_nonnull(strstr(help, "launch\n"));
	ck_assert_str_eq(help, man);
	ck_assert_str_eq(help, completion);
	shell(COMPLETION "complete_words help '' | sort", completion);
	ck_assert_str_eq(help, completion);
}
END_TEST

static const char *const verbs[] = {
	"list", "launch", "inspect", "stats", "top",   "totals", "events", "kill",
	"info", "doctor", "version", "help",  "limit", "quota",	 "reload",
};

START_TEST(the_verbs_here_are_all)
{
	char help[LIST_MAX];
	int nr = 0;

	shell("\"$DUNECTL\" --help | sed -n '/^Verbs:/,/^$/s/^  \\([a-z]*\\).*/\\1/p'", help);
	for (const char *c = help; *c; c++)
		nr += *c == '\n';
	ck_assert_int_eq(nr, NR_ROWS(verbs));
	for (int i = 0; i < NR_ROWS(verbs); i++)
		ck_assert_ptr_nonnull(strstr(help, verbs[i]));
}
END_TEST

START_TEST(options_agree)
{
	char help[LIST_MAX], man[LIST_MAX], completion[LIST_MAX];

	setenv("VERB", verbs[_i], 1);
	shell("\"$DUNECTL\" help $VERB | sed -n 's/^ *\\(-[a-z]\\)*,* *\\(--[a-z-]*\\).*/\\1\\n\\2/p' |\n"
	      "grep . | sort",
	      help);
	shell("{ sed -n '/^\\.SH OPTIONS/,/^\\.SS/p' dunectl/dunectl.1\n"
	      "sed -n \"/^\\.SS Options of $VERB\\$/,/^\\.S[SH] [^O]/p\" dunectl/dunectl.1 |\n"
	      "sed '1!{/^\\.SS/,$d}'; } |\n"
	      "grep -A1 '^\\.TP' | sed 's/\\\\-/-/g; s/\\\\f.*//' | grep '^\\.B' |\n"
	      "grep -oE -e '-[a-z-]+' | sort",
	      man);
	shell(COMPLETION "complete_words $VERB - | sort", completion);
	ck_assert_ptr_nonnull(strstr(help, "--json\n"));
	ck_assert_str_eq(help, man);
	ck_assert_str_eq(help, completion);
}
END_TEST

START_TEST(exit_statuses_stand_in_the_man_page)
{
	char man[LIST_MAX];

	shell("sed -n '/^\\.SH EXIT STATUS/,/^\\.SH ENV/p' dunectl/dunectl.1 | grep -A1 '^\\.TP' |\n"
	      "sed -n 's/^\\.B \\([0-9]*\\).*/\\1/p'",
	      man);
	ck_assert_str_eq(man, "125\n126\n127\n128\n0\n1\n2\n4\n77\n");
}
END_TEST

/* Every counter and every exit reason that proto/names.c knows, and no other. */
START_TEST(counters_stand_in_the_man_page)
{
	char names[LIST_MAX], man[LIST_MAX];

	shell("sed -n 's/^\t\\[DUNE_COUNT_.*= \"\\(.*\\)\",/\\1/p' proto/names.c", names);
	shell("sed -n '/^\\.SH COUNTERS/,/^VM exits are/p' dunectl/dunectl.1 | grep -A1 '^\\.TP' |\n"
	      "sed -n 's/^\\.B //p'",
	      man);
	ck_assert_str_eq(names, man);
	shell("sed -n 's/^\t\\[[0-9]*\\] = \"\\(.*\\)\",/\\1/p' proto/names.c", names);
	shell("sed -n '/^VM exits are/,/^What has/p' dunectl/dunectl.1 | grep -v ' ' | tr -d ,.",
	      man);
	ck_assert_str_eq(names, man);
}
END_TEST

/* The ceilings are rows of a macro, which puts max_ before their names. */
#define CEILINGS "-e 's/^CEILING(\\([a-z]*\\),.*/max_\\1/p'"

/* dune(4) names the module's parameters, and only these. */
START_TEST(parameters_stand_in_the_man_page)
{
	char code[LIST_MAX], man[LIST_MAX];

	shell("sed -n " CEILINGS " -e 's/^MODULE_PARM_DESC(\\([a-z0-9_]*\\),.*/\\1/p' kmod/*.c "
	      "kmod/vmx/*.c | sort",
	      code);
	shell("sed -n '/^\\.SH PARAMETERS/,/^\\.SH REF/p' kmod/dune.4 | grep -A1 '^\\.TP' |\n"
	      "sed -n 's/^\\.B //p' | sort",
	      man);
	ck_assert_str_eq(code, man);
	shell("sed -n " CEILINGS " -e 's/^module_param[a-z_]*(\\([a-z0-9_]*\\),.*/\\1/p' kmod/*.c "
	      "kmod/vmx/*.c | sort",
	      man);
	ck_assert_str_eq(code, man);
}
END_TEST

START_TEST(contexts_are_completed)
{
	static const struct canned service[] = {
		{ "List",
		  .parameters = "{\"contexts\":[{\"id\":12,\"name\":\"first\",\"owner\":0,"
				"\"state\":\"new\",\"created_usec\":1,\"limits\":{},\"usage\":{}},"
				"{\"id\":13,\"name\":\"second\",\"owner\":0,\"state\":\"new\","
				"\"created_usec\":1,\"limits\":{},\"usage\":{}}]}" },
		{ 0 },
	};
	char words[LIST_MAX];

	run_service(&run, service);
	shell("dunectl() { \"$DUNECTL\" \"$@\"; }\n" COMPLETION "complete_words inspect ''", words);
	ck_assert_str_eq(words, "12\nfirst\n13\nsecond\n");
	shell("dunectl() { \"$DUNECTL\" \"$@\"; }\n" COMPLETION
	      "complete_words --json = short kill sec",
	      words);
	ck_assert_str_eq(words, "second\n");
	shell(COMPLETION "complete_words --json = p", words);
	ck_assert_str_eq(words, "pretty\n");
	shell(COMPLETION "complete_words launch --name x -- /usr/bin/sha256su", words);
	ck_assert_str_eq(words, "/usr/bin/sha256sum\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dunectl_docs");
	TCase *tests = tcase_create("dunectl_docs");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, verbs_agree);
	tcase_add_test(tests, the_verbs_here_are_all);
	tcase_add_loop_test(tests, options_agree, 0, NR_ROWS(verbs));
	tcase_add_test(tests, exit_statuses_stand_in_the_man_page);
	tcase_add_test(tests, counters_stand_in_the_man_page);
	tcase_add_test(tests, parameters_stand_in_the_man_page);
	tcase_add_test(tests, contexts_are_completed);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
