// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libdune's client: what each function sends, what it makes of right replies, of error replies, and of
 * descriptors. Malformed replies stand in test_client_bad.c.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/suite.h"
#include "tests/unit/test_client_peer.h"

#define CREATED_JSON "{\"context\":" CONTEXT_JSON ",\"context_fd\":0}"

static struct peer peer;

static void setup(void)
{
	peer_setup(&peer);
}

static void teardown(void)
{
	peer_teardown(&peer);
}

START_TEST(create_passes_a_descriptor)
{
	struct dune_client_limits limits = { .vcpus = 4, .private_pages = 4096 };
	int before = count_fds(), fd = -1;
	uint64_t id = 0;
	struct stat status;

	peer_reply(&peer, NULL, CREATED_JSON, false, 1);
	ck_assert_int_eq(dune_client_create(peer.client, "seven", &limits, &id, &fd), 0);
	ck_assert_uint_eq(id, 7);
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert(S_ISCHR(status.st_mode));
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(count_fds(), before + 1);
	close(fd);
	peer_expect(&peer, "io.dune.Manager.Create",
		    "{\"name\":\"seven\",\"limits\":{\"vcpus\":4,\"private_pages\":4096}}", 0);
}
END_TEST

START_TEST(create_without_wishes)
{
	uint64_t id;
	int fd;

	peer_reply(&peer, NULL, CREATED_JSON, false, 1);
	ck_assert_int_eq(dune_client_create(peer.client, NULL, NULL, &id, &fd), 0);
	close(fd);
	peer_expect(&peer, "io.dune.Manager.Create", NULL, 0);
}
END_TEST

START_TEST(create_refuses_limits_out_of_range)
{
	struct dune_client_limits limits = { .vcpus = (uint64_t)INT64_MAX + 1 };
	uint64_t id = 42;
	int fd = -42;

	ck_assert_int_eq(dune_client_create(peer.client, NULL, &limits, &id, &fd), -ERANGE);
	ck_assert_uint_eq(id, 42);
	ck_assert_int_eq(fd, -42);
}
END_TEST

/* The reply, how many descriptors it brings, and whether it would be right with one. */
static const struct wrong_fds {
	const char *error;
	unsigned int nr_fds;
} wrong_fds[] = {
	{ NULL, 0 },
	{ NULL, 2 },
	{ NULL, 4 },
	{ NULL, 5 },
	{ NULL, 33 },
	{ NULL, 60 },
	{ "io.dune.Manager.QuotaExceeded", 1 },
};

START_TEST(create_wants_exactly_one_descriptor)
{
	const struct wrong_fds *row = &wrong_fds[_i];
	int before = count_fds(), fd = -42;
	uint64_t id = 42;

	peer_reply(&peer, row->error, row->error ? NULL : CREATED_JSON, false, row->nr_fds);
	ck_assert_int_eq(dune_client_create(peer.client, NULL, NULL, &id, &fd), -EPROTO);
	ck_assert_str_eq(dune_client_error_text(peer.client), "the reply brings wrong descriptors");
	ck_assert_ptr_null(dune_client_error_name(peer.client));
	ck_assert_uint_eq(id, 42);
	ck_assert_int_eq(fd, -42);
	/* The connection was given up: its descriptor is gone, and so is everything received. */
	ck_assert_int_eq(count_fds(), before - 1);
}
END_TEST

START_TEST(create_wants_the_right_index)
{
	int before = count_fds(), fd = -42;
	uint64_t id;

	peer_reply(&peer, NULL, "{\"context\":" CONTEXT_JSON ",\"context_fd\":1}", false, 1);
	ck_assert_int_eq(dune_client_create(peer.client, NULL, NULL, &id, &fd), -EPROTO);
	ck_assert_int_eq(fd, -42);
	ck_assert_int_eq(count_fds(), before - 1);
}
END_TEST

START_TEST(descriptors_in_the_middle_are_refused)
{
	static const char text[] = "{\"parameters\":" CREATED_JSON "}";
	int before = count_fds(), fd, status;
	uint64_t id;
	pid_t child;

	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		/* Apart in time, as the kernel joins what waits together. */
		peer_send(&peer, text, 10, 0);
		usleep(200000);
		peer_send(&peer, text + 10, sizeof(text) - 10, 1);
		_exit(0);
	}
	ck_assert_int_eq(dune_client_create(peer.client, NULL, NULL, &id, &fd), -EPROTO);
	ck_assert_str_eq(dune_client_error_text(peer.client), "the reply brings wrong descriptors");
	ck_assert_int_eq(count_fds(), before - 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}
END_TEST

START_TEST(list_gives_contexts)
{
	struct dune_client_list *list;
	const struct dune_client_context *context;

	peer_reply(&peer, NULL,
		   "{\"contexts\":[" CONTEXT_JSON ",{\"id\":8,\"name\":\"eight\",\"owner\":0,"
		   "\"pid\":null,\"state\":\"ended\",\"cause\":\"kill\",\"created_usec\":1,"
		   "\"limits\":{},\"usage\":{},\"later\":[1]}]}",
		   false, 0);
	ck_assert_int_eq(dune_client_list(peer.client, &list), 0);
	ck_assert_uint_eq(list->nr, 2);
	context = list->contexts[0];
	ck_assert_uint_eq(context->id, 7);
	ck_assert_str_eq(context->name, "seven");
	ck_assert_uint_eq(context->owner, 1000);
	ck_assert_int_eq(context->pid, 4711);
	ck_assert_str_eq(context->state, "running");
	ck_assert_ptr_null(context->cause);
	ck_assert_str_eq(context->command, "sort");
	ck_assert_uint_eq(context->created_usec, 123456);
	ck_assert_uint_eq(context->limits.vcpus, 4);
	ck_assert_uint_eq(context->limits.contexts, 8);
	ck_assert_uint_eq(context->usage.private_pages, 77);
	ck_assert_uint_eq(context->usage.ept_pages, 12);
	context = list->contexts[1];
	ck_assert_uint_eq(context->id, 8);
	ck_assert_int_eq(context->pid, 0);
	ck_assert_str_eq(context->cause, "kill");
	ck_assert_ptr_null(context->command);
	dune_client_list_free(list);
	peer_expect(&peer, "io.dune.Manager.List", NULL, 0);
}
END_TEST

START_TEST(an_empty_list_is_a_list)
{
	struct dune_client_list *list;

	peer_reply(&peer, NULL, "{\"contexts\":[]}", false, 0);
	ck_assert_int_eq(dune_client_list(peer.client, &list), 0);
	ck_assert_uint_eq(list->nr, 0);
	dune_client_list_free(list);
}
END_TEST

#define REGISTERS_JSON                                                                         \
	"{\"rax\":\"0x1\",\"rcx\":\"0x2\",\"rdx\":\"0x3\",\"rbx\":\"0x4\",\"rsp\":\"0x5\","    \
	"\"rbp\":\"0x6\",\"rsi\":\"0x7\",\"rdi\":\"0x8\",\"r8\":\"0x9\",\"r9\":\"0xa\","       \
	"\"r10\":\"0xb\",\"r11\":\"0xc\",\"r12\":\"0xd\",\"r13\":\"0xe\",\"r14\":\"0xf\","     \
	"\"r15\":\"0x10\",\"rip\":\"0xffff800000001000\",\"rflags\":\"0x12\",\"cs\":\"0x13\"," \
	"\"ss\":\"0x14\",\"cr0\":\"0x15\",\"cr2\":\"0xFFFFFFFFFFFFFFFF\",\"cr3\":\"0x17\","    \
	"\"cr4\":\"0x18\"}"

START_TEST(inspect_gives_counters_and_report)
{
	struct dune_client_inspection *inspection;
	const struct dune_client_report *report;

	peer_reply(&peer, NULL,
		   "{\"context\":" CONTEXT_JSON ",\"counters\":{\"exits\":12,\"entries\":13},"
		   "\"exits\":{\"vmcall\":12},\"report\":{\"cause\":\"panic\","
		   "\"exit_reason\":\"vmcall\",\"cpl\":0,\"vector\":14,\"error_code\":\"0x2\","
		   "\"exit_qualification\":\"0x0\",\"guest_physical\":\"0x1000\","
		   "\"guest_linear\":\"0x2000\",\"registers\":" REGISTERS_JSON "}}",
		   false, 0);
	ck_assert_int_eq(dune_client_inspect(peer.client, 0, "seven", &inspection), 0);
	ck_assert_uint_eq(inspection->context->id, 7);
	ck_assert_uint_eq(inspection->counters.nr, 2);
	ck_assert_str_eq(inspection->counters.values[1].name, "entries");
	ck_assert_uint_eq(inspection->counters.values[1].value, 13);
	ck_assert_uint_eq(inspection->exits.nr, 1);
	report = inspection->report;
	ck_assert_ptr_nonnull(report);
	ck_assert_str_eq(report->cause, "panic");
	ck_assert_uint_eq(report->vector, 14);
	ck_assert_uint_eq(report->error_code, 2);
	ck_assert_uint_eq(report->guest_linear, 0x2000);
	ck_assert_uint_eq(report->registers.rax, 1);
	ck_assert_uint_eq(report->registers.rip, 0xffff800000001000);
	ck_assert_uint_eq(report->registers.cr2, UINT64_MAX);
	ck_assert_uint_eq(report->registers.cr4, 0x18);
	dune_client_inspection_free(inspection);
	peer_expect(&peer, "io.dune.Manager.Inspect", "{\"name\":\"seven\"}", 0);
}
END_TEST

START_TEST(kill_names_the_context)
{
	peer_reply(&peer, NULL, NULL, false, 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 7, NULL), 0);
	peer_expect(&peer, "io.dune.Manager.Kill", "{\"id\":7}", 0);
	peer_reply(&peer, NULL, "{}", false, 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 0, "seven"), 0);
	peer_expect(&peer, "io.dune.Manager.Kill", "{\"name\":\"seven\"}", 0);
	ck_assert_int_eq(dune_client_kill(peer.client, UINT64_MAX, NULL), -EINVAL);
}
END_TEST

#define QUOTAS_JSON                                                                     \
	"{\"contexts_per_user\":8,\"contexts_per_host\":64,\"defaults\":{\"vcpus\":4}," \
	"\"maximum\":{\"vcpus\":16,\"private_pages\":4096}}"

START_TEST(info_with_a_module)
{
	struct dune_client_info *info;

	peer_reply(
		&peer, NULL,
		"{\"version\":\"1.2\",\"module\":{\"loaded\":true,\"abi\":1,"
		"\"abi_expected\":1,\"version\":\"1.1\",\"features\":[\"ept_2m\",\"umip\"],"
		"\"bugs\":[{\"name\":\"mds\",\"state\":\"mitigated\",\"how\":\"VERW\"}],"
		"\"gpa_bits\":39,\"slots\":511,\"vmx_holder\":\"kvm\",\"allocated\":{\"contexts\":1,\"vcpus\":2,"
		"\"ept_pages\":3,\"private_pages\":4,\"run_pages\":5,\"vmcs_pages\":6},"
		"\"created\":100,\"refused\":7,\"assertions\":0},\"quotas\":" QUOTAS_JSON "}",
		false, 0);
	ck_assert_int_eq(dune_client_info(peer.client, &info), 0);
	ck_assert_str_eq(info->version, "1.2");
	ck_assert(info->module.loaded);
	ck_assert_ptr_null(info->module.problem);
	ck_assert_str_eq(info->module.version, "1.1");
	ck_assert_uint_eq(info->module.nr_features, 2);
	ck_assert_str_eq(info->module.features[1], "umip");
	ck_assert_uint_eq(info->module.nr_bugs, 1);
	ck_assert_str_eq(info->module.bugs[0]->name, "mds");
	ck_assert_str_eq(info->module.bugs[0]->how, "VERW");
	ck_assert_uint_eq(info->module.allocated.vmcs_pages, 6);
	ck_assert_uint_eq(info->module.refused, 7);
	ck_assert_uint_eq(info->quotas.contexts_per_host, 64);
	ck_assert_uint_eq(info->quotas.maximum.private_pages, 4096);
	dune_client_info_free(info);
	peer_expect(&peer, "io.dune.Manager.Info", NULL, 0);
}
END_TEST

START_TEST(info_without_a_module)
{
	struct dune_client_info *info;

	peer_reply(&peer, NULL,
		   "{\"version\":\"1.2\",\"module\":{\"loaded\":false,\"problem\":\"ENOENT\","
		   "\"abi_expected\":1},\"quotas\":" QUOTAS_JSON "}",
		   false, 0);
	ck_assert_int_eq(dune_client_info(peer.client, &info), 0);
	ck_assert(!info->module.loaded);
	ck_assert_str_eq(info->module.problem, "ENOENT");
	ck_assert_ptr_null(info->module.version);
	ck_assert_uint_eq(info->module.nr_features, 0);
	dune_client_info_free(info);
}
END_TEST

#define STATS_JSON(time)                                                  \
	"{\"time_usec\":" time ",\"samples\":[{\"context\":" CONTEXT_JSON \
	",\"counters\":{\"exits\":3},\"exits\":{\"vmcall\":1,\"ept_violation\":2}}]}"

START_TEST(stats_of_all_and_of_one)
{
	struct dune_client_stats *stats;

	peer_reply(&peer, NULL, STATS_JSON("5"), false, 0);
	ck_assert_int_eq(dune_client_stats(peer.client, 0, NULL, &stats), 0);
	ck_assert_uint_eq(stats->time_usec, 5);
	ck_assert_uint_eq(stats->nr, 1);
	ck_assert_str_eq(stats->samples[0]->context->name, "seven");
	ck_assert_uint_eq(stats->samples[0]->exits.values[1].value, 2);
	dune_client_stats_free(stats);
	peer_expect(&peer, "io.dune.Manager.Stats", NULL, 0);
	peer_reply(&peer, NULL, "{\"time_usec\":6,\"samples\":[]}", false, 0);
	ck_assert_int_eq(dune_client_stats(peer.client, 7, NULL, &stats), 0);
	ck_assert_uint_eq(stats->nr, 0);
	dune_client_stats_free(stats);
	peer_expect(&peer, "io.dune.Manager.Stats", "{\"id\":7}", 0);
}
END_TEST

struct seen {
	unsigned int nr;
	unsigned int enough;
	uint64_t last;
};

static int see(const struct dune_client_stats *stats, void *data)
{
	struct seen *seen = data;

	seen->last = stats->time_usec;
	return ++seen->nr == seen->enough ? 99 : 0;
}

START_TEST(watch_takes_samples_until_enough)
{
	struct seen seen = { .enough = 2 };

	peer_reply(&peer, NULL, STATS_JSON("1"), true, 0);
	peer_reply(&peer, NULL, STATS_JSON("2"), true, 0);
	peer_reply(&peer, NULL, STATS_JSON("3"), true, 0);
	ck_assert_int_eq(dune_client_watch(peer.client, 7, NULL, 250, see, &seen), 99);
	ck_assert_uint_eq(seen.nr, 2);
	ck_assert_uint_eq(seen.last, 2);
	peer_expect(&peer, "io.dune.Manager.Stats", "{\"id\":7,\"interval_ms\":250}", VARLINK_MORE);
	/* The stream could only be ended with its connection. */
	ck_assert_int_eq(dune_client_kill(peer.client, 7, NULL), -ENOTCONN);
}
END_TEST

START_TEST(watch_ends_with_the_stream)
{
	struct seen seen = { 0 };

	peer_reply(&peer, NULL, STATS_JSON("1"), true, 0);
	peer_reply(&peer, NULL, STATS_JSON("2"), false, 0);
	ck_assert_int_eq(dune_client_watch(peer.client, 0, NULL, 0, see, &seen), 0);
	ck_assert_uint_eq(seen.nr, 2);
	peer_expect(&peer, "io.dune.Manager.Stats", NULL, VARLINK_MORE);
}
END_TEST

START_TEST(watch_ends_with_an_error)
{
	struct seen seen = { 0 };

	peer_reply(&peer, NULL, STATS_JSON("1"), true, 0);
	peer_reply(&peer, "io.dune.Manager.NoSuchContext", NULL, false, 0);
	ck_assert_int_eq(dune_client_watch(peer.client, 7, NULL, 100, see, &seen), -ENOENT);
	ck_assert_uint_eq(seen.nr, 1);
	ck_assert_str_eq(dune_client_error_name(peer.client), "io.dune.Manager.NoSuchContext");
}
END_TEST

START_TEST(watch_refuses_descriptors)
{
	struct seen seen = { 0 };
	int before = count_fds();

	peer_reply(&peer, NULL, STATS_JSON("1"), true, 0);
	peer_reply(&peer, NULL, STATS_JSON("2"), true, 1);
	ck_assert_int_eq(dune_client_watch(peer.client, 7, NULL, 100, see, &seen), -EPROTO);
	ck_assert_int_eq(count_fds(), before - 1);
}
END_TEST

static const struct error_reply {
	const char *name, *parameters;
	int error;
	const char *text;
} error_replies[] = {
	{ "io.dune.Manager.NoSuchContext", NULL, -ENOENT, "no such context" },
	{ "io.dune.Manager.AmbiguousName", "{\"name\":\"a\",\"ids\":[1,2]}", -ENOTUNIQ,
	  "several owners have a context named a: [1,2]" },
	{ "io.dune.Manager.NameTaken", "{\"name\":\"a\"}", -EEXIST,
	  "there is a context named a already" },
	{ "io.dune.Manager.InvalidName", NULL, -EINVAL,
	  "a name has 1 to 63 characters of A-Z a-z 0-9 . _ -" },
	{ "io.dune.Manager.InvalidLimit",
	  "{\"limit\":\"ept_pages\",\"minimum\":64,\"maximum\":128}", -ERANGE,
	  "the limit ept_pages must be 64 to 128" },
	{ "io.dune.Manager.QuotaExceeded", "{\"limit\":\"connections\",\"maximum\":8,\"used\":8}",
	  -EDQUOT, "the quota connections is used up (8 of 8)" },
	{ "io.dune.Manager.QuotaExceeded",
	  "{\"limit\":\"contexts\",\"maximum\":8,\"used\":8,\"scope\":\"host\"}", -EDQUOT,
	  "the quota contexts is used up (8 of 8, host)" },
	{ "io.dune.Manager.QuotaExceeded",
	  "{\"limit\":\"ept_pages\",\"maximum\":8,\"used\":9,\"scope\":\"user\",\"name\":\"al\"}",
	  -EDQUOT, "the quota ept_pages is used up (9 of 8, user al)" },
	{ "io.dune.Manager.RateExceeded",
	  "{\"scope\":\"user\",\"name\":\"al\",\"maximum\":6,\"retry_usec\":5}", -EDQUOT,
	  "more than 6 contexts a minute (user al): again in 5 us" },
	{ "io.dune.Manager.ModuleNotLoaded", "{\"reason\":\"ENOENT\"}", -ENODEV,
	  "the service can't use the kernel module (ENOENT)" },
	{ "io.dune.Manager.ModuleMismatch", "{\"expected\":1,\"found\":2}", -EPROTONOSUPPORT,
	  "the kernel module speaks ABI version 2, the service 1" },
	{ "io.dune.Manager.VirtualizationBusy", NULL, -EBUSY,
	  "somebody else (KVM?) holds the processors' virtualization extension" },
	{ "io.dune.Manager.ModuleFailed", "{\"operation\":\"create\",\"errno_name\":\"ENOMEM\"}",
	  -EIO, "the kernel module failed: create: ENOMEM" },
	{ "io.dune.Manager.NoProcess", NULL, -ESRCH, "the context has no process" },
	{ "io.dune.Manager.ReplyTooLarge", "{\"maximum\":100}", -EMSGSIZE,
	  "the answer is larger than 100 bytes: ask for one context" },
	{ "org.varlink.service.PermissionDenied", NULL, -EACCES, "permission denied" },
	{ "org.varlink.service.PermissionDenied",
	  "{\"action\":\"a.b\",\"reason\":\"polkit denies it\"}", -EACCES,
	  "permission denied, polkit denies it, a.b" },
	{ "org.varlink.service.InvalidParameter", "{\"parameter\":\"id\"}", -EINVAL,
	  "the service refuses the parameter id" },
	{ "org.varlink.service.MethodNotFound", "{\"method\":\"m\"}", -EOPNOTSUPP,
	  "the service does not have the method m" },
	{ "org.varlink.service.InterfaceNotFound", "{\"interface\":\"i\"}", -EOPNOTSUPP,
	  "the service does not have the interface i" },
	{ "org.varlink.service.MethodNotImplemented", "{\"method\":\"m\"}", -EOPNOTSUPP,
	  "the service does not implement the method m" },
	{ "org.varlink.service.ExpectedMore", NULL, -EPROTO,
	  "the service wants the call to ask for more" },
	/* Without its parameters, and with hostile ones. */
	{ "io.dune.Manager.NameTaken", NULL, -EEXIST, "there is a context named ? already" },
	{ "io.dune.Manager.NameTaken", "{\"name\":\"a\\u001b[31mb\\n\"}", -EEXIST,
	  "there is a context named a?[31mb? already" },
	{ "io.dune.Manager.NameTaken", "{\"name\":{\"a\":null}}", -EEXIST,
	  "there is a context named {\"a\":null} already" },
	{ "com.example.Surprise", NULL, -EREMOTEIO,
	  "the service replied with an error that is not known here" },
};

START_TEST(error_replies_are_translated)
{
	const struct error_reply *row = &error_replies[_i];

	peer_reply(&peer, row->name, row->parameters, false, 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 7, NULL), row->error);
	ck_assert_str_eq(dune_client_error_name(peer.client), row->name);
	ck_assert_str_eq(dune_client_error_text(peer.client), row->text);
	/* The connection goes on, and the next success forgets the error. */
	peer_reply(&peer, NULL, NULL, false, 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 7, NULL), 0);
	ck_assert_ptr_null(dune_client_error_name(peer.client));
}
END_TEST

START_TEST(long_parameters_are_shortened)
{
	char parameters[2048];

	snprintf(parameters, sizeof(parameters), "{\"name\":\"%01000d\"}", 0);
	peer_reply(&peer, "io.dune.Manager.NameTaken", parameters, false, 0);
	ck_assert_int_eq(dune_client_kill(peer.client, 7, NULL), -EEXIST);
	ck_assert_uint_lt(strlen(dune_client_error_text(peer.client)), 200);
}
END_TEST

START_TEST(causes_have_sentences)
{
	ck_assert_str_eq(dune_client_cause_text("no_such_cause"), "ended");
	ck_assert_str_ne(dune_client_cause_text("triple_fault"), "ended");
}
END_TEST

START_TEST(addresses)
{
	char path[64] = "/tmp/dune-test-XXXXXX", prefixed[80], longest[200];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct dune_client *client = NULL;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(path));
	strcat(path, "/socket");
	ck_assert_int_eq(dune_client_new(path, &client), -ENOENT);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(dune_client_new(path, &client), -ECONNREFUSED);
	ck_assert_int_eq(listen(fd, 4), 0);
	ck_assert_int_eq(dune_client_new(path, &client), 0);
	dune_client_free(client);
	snprintf(prefixed, sizeof(prefixed), "unix:%s", path);
	ck_assert_int_eq(dune_client_new(prefixed, &client), 0);
	dune_client_free(client);
	setenv("DUNE_SOCKET", path, 1);
	ck_assert_int_eq(dune_client_new(NULL, &client), 0);
	dune_client_free(client);
	unlink(path);
	ck_assert_int_eq(dune_client_new(NULL, &client), -ENOENT);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(dune_client_new(longest, &client), -ENAMETOOLONG);
	ck_assert_int_eq(dune_client_new("unix:", &client), -EINVAL);
	close(fd);
}
END_TEST

START_TEST(totals_with_and_without_what_came_later)
{
	struct dune_client_totals *totals;

	peer_reply(&peer, NULL,
		   "{\"time_usec\":5,\"counters\":{\"exits\":9},\"exits\":{\"vmcall\":9},"
		   "\"ends\":{\"exit\":3,\"panic\":1},\"states\":{\"new\":2},"
		   "\"service\":{\"calls\":7}}",
		   false, 0);
	ck_assert_int_eq(dune_client_totals(peer.client, &totals), 0);
	peer_expect(&peer, "io.dune.Manager.Totals", NULL, 0);
	ck_assert_uint_eq(totals->time_usec, 5);
	ck_assert_uint_eq(totals->exits.nr, 1);
	ck_assert_str_eq(totals->exits.values[0].name, "vmcall");
	ck_assert_uint_eq(totals->exits.values[0].value, 9);
	ck_assert_uint_eq(totals->ends.nr, 2);
	ck_assert_uint_eq(totals->states.values[0].value, 2);
	ck_assert_uint_eq(totals->service.values[0].value, 7);
	dune_client_totals_free(totals);
	peer_reply(&peer, NULL, "{\"time_usec\":6,\"counters\":{},\"exits\":{},\"ends\":{}}", false,
		   0);
	ck_assert_int_eq(dune_client_totals(peer.client, &totals), 0);
	ck_assert_uint_eq(totals->states.nr, 0);
	ck_assert_uint_eq(totals->service.nr, 0);
	dune_client_totals_free(totals);
	peer_reply(&peer, NULL, "{\"time_usec\":7,\"counters\":{},\"exits\":{}}", false, 0);
	ck_assert_int_eq(dune_client_totals(peer.client, &totals), -EPROTO);
	ck_assert_str_eq(dune_client_error_text(peer.client), "the reply has no right 'ends'");
}
END_TEST

#define NR_ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tests = tcase_create("client");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, create_passes_a_descriptor);
	tcase_add_test(tests, create_without_wishes);
	tcase_add_test(tests, create_refuses_limits_out_of_range);
	tcase_add_loop_test(tests, create_wants_exactly_one_descriptor, 0, NR_ROWS(wrong_fds));
	tcase_add_test(tests, create_wants_the_right_index);
	tcase_add_test(tests, descriptors_in_the_middle_are_refused);
	tcase_add_test(tests, list_gives_contexts);
	tcase_add_test(tests, an_empty_list_is_a_list);
	tcase_add_test(tests, inspect_gives_counters_and_report);
	tcase_add_test(tests, kill_names_the_context);
	tcase_add_test(tests, info_with_a_module);
	tcase_add_test(tests, info_without_a_module);
	tcase_add_test(tests, stats_of_all_and_of_one);
	tcase_add_test(tests, watch_takes_samples_until_enough);
	tcase_add_test(tests, watch_ends_with_the_stream);
	tcase_add_test(tests, watch_ends_with_an_error);
	tcase_add_test(tests, watch_refuses_descriptors);
	tcase_add_loop_test(tests, error_replies_are_translated, 0, NR_ROWS(error_replies));
	tcase_add_test(tests, long_parameters_are_shortened);
	tcase_add_test(tests, causes_have_sentences);
	tcase_add_test(tests, addresses);
	tcase_add_test(tests, totals_with_and_without_what_came_later);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
