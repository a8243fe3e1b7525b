// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor's checks of a host, shown a folder with another host's files. What depends on this host's own
 * users and service is tested by running dunectl (test_dunectl.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <check.h>

#include "dunectl/doctor.h"
#include "dunectl/dunectl.h"

static char root[64];
static struct dunectl ctl;
static struct doctor doctor;

static void setup(void)
{
	strcpy(root, "/tmp/dune-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	doctor = (struct doctor){ .ctl = &ctl, .root = root };
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "/bin/rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

/* Writes a file of the host, with its folders. */
static void put(const char *path, const char *text)
{
	char full[512], *slash;
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		ck_assert(mkdir(full, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static struct doctor_finding check(const struct doctor_check *checks, const char *what)
{
	struct doctor_finding finding = { 0 };

	for (; checks->what; checks++) {
		if (strcmp(checks->what, what) != 0)
			continue;
		checks->run(&doctor, &finding);
		ck_assert_uint_gt(strlen(finding.detail), 0);
		return finding;
	}
	ck_abort_msg("no check %s", what);
	return finding;
}

#define CPUINFO(flags, vmx) "processor\t: 0\nflags\t\t: fpu " flags "\n" vmx "bugs\t\t:\n"
#define VMX_FLAGS	    "vmx flags\t: vnmi ept vpid unrestricted_guest\n"

static const struct cpu_row {
	const char *cpuinfo, *what;
	enum doctor_state state;
	const char *hint; /* part of it; NULL: none at all */
} cpu_rows[] = {
	{ CPUINFO("vmx fsgsbase", VMX_FLAGS), "cpu-vmx", DOCTOR_OK, NULL },
	{ CPUINFO("vmx fsgsbase", VMX_FLAGS), "cpu-ept", DOCTOR_OK, NULL },
	{ CPUINFO("vmx fsgsbase", VMX_FLAGS), "cpu-vpid", DOCTOR_OK, NULL },
	{ CPUINFO("vmx fsgsbase", VMX_FLAGS), "cpu-fsgsbase", DOCTOR_OK, NULL },
	{ CPUINFO("vmx fsgsbase", VMX_FLAGS), "firmware", DOCTOR_OK, NULL },
	/* Before Linux 5.7 they stood among the other flags. */
	{ CPUINFO("vmx ept vpid", ""), "cpu-ept", DOCTOR_OK, NULL },
	{ CPUINFO("vmx ept vpid", ""), "cpu-vpid", DOCTOR_OK, NULL },
	/* Words, not parts of words. */
	{ CPUINFO("vmxx xvmx", ""), "cpu-vmx", DOCTOR_FAIL, "firmware" },
	{ CPUINFO("vmx", "vmx flags\t: ept_x_only ept_ad vpids\n"), "cpu-ept", DOCTOR_FAIL,
	  "too old" },
	{ CPUINFO("vmx", "vmx flags\t: ept_x_only ept_ad vpids\n"), "cpu-vpid", DOCTOR_FAIL,
	  "too old" },
	{ CPUINFO("svm", ""), "cpu-vmx", DOCTOR_FAIL, "AMD" },
	{ CPUINFO("hypervisor", ""), "cpu-vmx", DOCTOR_FAIL, "nested" },
	{ CPUINFO("", ""), "cpu-vmx", DOCTOR_FAIL, "firmware" },
	{ CPUINFO("", ""), "cpu-fsgsbase", DOCTOR_FAIL, "nofsgsbase" },
	{ CPUINFO("", ""), "firmware", DOCTOR_WARN, "msr" },
	/* A flag of some other line does not count. */
	{ "model name\t: vmx\nflags\t: fpu\n", "cpu-vmx", DOCTOR_FAIL, "firmware" },
	{ "", "cpu-vmx", DOCTOR_WARN, NULL },
};

START_TEST(processors)
{
	const struct cpu_row *row = &cpu_rows[_i];
	struct doctor_finding finding;

	put("/proc/cpuinfo", row->cpuinfo);
	finding = check(doctor_cpu_checks, row->what);
	ck_assert_int_eq(finding.state, row->state);
	if (row->hint)
		ck_assert_ptr_nonnull(strstr(finding.hint, row->hint));
	else
		ck_assert_str_eq(finding.hint, "");
}
END_TEST

/* IA32_FEATURE_CONTROL as the msr driver shows it: at the MSR's number. */
static void put_feature_control(unsigned char value)
{
	char path[512];
	FILE *file;

	put("/dev/cpu/0/msr", "");
	snprintf(path, sizeof(path), "%s/dev/cpu/0/msr", root);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, 0x3a, SEEK_SET), 0);
	fwrite((unsigned char[8]){ value }, 1, 8, file);
	fclose(file);
}

START_TEST(firmware_lock)
{
	struct doctor_finding finding;

	put("/proc/cpuinfo", CPUINFO("", ""));
	put_feature_control(1);
	finding = check(doctor_cpu_checks, "firmware");
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.hint, "firmware"));
	put_feature_control(5);
	ck_assert_int_eq(check(doctor_cpu_checks, "firmware").state, DOCTOR_OK);
	put_feature_control(0);
	ck_assert_int_eq(check(doctor_cpu_checks, "firmware").state, DOCTOR_FAIL);
}
END_TEST

START_TEST(module_states)
{
	struct doctor_finding finding;
	struct utsname kernel;
	char path[512];

	ck_assert_int_eq(uname(&kernel), 0);
	finding = check(doctor_host_checks, "module");
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.detail, "not installed"));
	ck_assert_ptr_nonnull(strstr(finding.hint, "modules_install"));
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel.release);
	put(path, "kernel/a/dunes.ko:\nkernel/b/xdune.ko: updates/dune.ko\n");
	ck_assert_ptr_nonnull(strstr(check(doctor_host_checks, "module").detail, "not installed"));
	put(path, "kernel/a/b.ko.xz: x.ko\nupdates/dune.ko.xz:\n");
	finding = check(doctor_host_checks, "module");
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.detail, "not loaded"));
	ck_assert_ptr_nonnull(strstr(finding.hint, "modprobe dune"));
	put("/sys/module/dune/version", "1.2.3\n");
	finding = check(doctor_host_checks, "module");
	ck_assert_int_eq(finding.state, DOCTOR_OK);
	ck_assert_str_eq(finding.detail, "loaded, version 1.2.3");
}
END_TEST

START_TEST(device_states)
{
	struct doctor_finding finding = check(doctor_host_checks, "device");
	char path[512];

	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.hint, "modprobe"));
	/* No device, whoever owns it. */
	put("/dev/dune", "");
	snprintf(path, sizeof(path), "%s/dev/dune", root);
	ck_assert_int_eq(chmod(path, 0600), 0);
	finding = check(doctor_host_checks, "device");
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.hint, "chown"));
	/* Open to others: quotas can be bypassed. */
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_ne(check(doctor_host_checks, "device").state, DOCTOR_OK);
}
END_TEST

static const struct kvm_row {
	const char *count, *early;
	enum doctor_state state;
} kvm_rows[] = {
	{ NULL, NULL, DOCTOR_OK },     { "0\n", NULL, DOCTOR_WARN }, { "0\n", "N\n", DOCTOR_WARN },
	{ "0\n", "Y\n", DOCTOR_FAIL }, { "2\n", NULL, DOCTOR_FAIL },
};

START_TEST(kvm_states)
{
	const struct kvm_row *row = &kvm_rows[_i];

	if (row->count)
		put("/sys/module/kvm_intel/refcnt", row->count);
	if (row->early)
		put("/sys/module/kvm/parameters/enable_virt_at_load", row->early);
	ck_assert_int_eq(check(doctor_host_checks, "kvm").state, row->state);
}
END_TEST

static const struct file_row {
	const char *what, *path, *text;
	enum doctor_state state;
} file_rows[] = {
	{ "mmap_min_addr", "/proc/sys/vm/mmap_min_addr", "65536\n", DOCTOR_OK },
	{ "mmap_min_addr", "/proc/sys/vm/mmap_min_addr", "65537\n", DOCTOR_FAIL },
	{ "mmap_min_addr", "/proc/sys/vm/mmap_min_addr", "0\n", DOCTOR_OK },
	{ "mmap_min_addr", "/elsewhere", "0\n", DOCTOR_WARN },
	{ "seccomp", "/proc/self/status", "Name:\tx\nSeccomp:\t0\n", DOCTOR_OK },
	{ "seccomp", "/proc/self/status", "Name:\tx\nSeccomp:\t2\n", DOCTOR_WARN },
	{ "seccomp", "/proc/self/status", "Name:\tSeccomp:\t2\n", DOCTOR_WARN },
};

START_TEST(settings_of_the_kernel)
{
	const struct file_row *row = &file_rows[_i];

	put(row->path, row->text);
	ck_assert_int_eq(check(doctor_host_checks, row->what).state, row->state);
}
END_TEST

START_TEST(what_the_service_says)
{
	struct dune_client_info info = {
		.version = DUNE_VERSION,
		.module = { .loaded = true, .abi = 1, .abi_expected = 1 },
	};

	strcpy(doctor.service_problem, "nobody there");
	ck_assert_int_eq(check(doctor_service_checks, "service").state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(
		strstr(check(doctor_service_checks, "service").detail, "nobody there"));
	ck_assert_int_eq(check(doctor_service_checks, "abi").state, DOCTOR_WARN);
	doctor.info = &info;
	ck_assert_int_eq(check(doctor_service_checks, "service").state, DOCTOR_OK);
	ck_assert_int_eq(check(doctor_service_checks, "module-access").state, DOCTOR_OK);
	ck_assert_int_eq(check(doctor_service_checks, "abi").state, DOCTOR_OK);
	ck_assert_int_eq(check(doctor_service_checks, "assertions").state, DOCTOR_OK);
	info.module.abi_expected = 2;
	ck_assert_int_eq(check(doctor_service_checks, "abi").state, DOCTOR_FAIL);
	info.module.abi = 2;
	ck_assert_int_eq(check(doctor_service_checks, "abi").state, DOCTOR_FAIL);
	info.module.assertions = 1;
	ck_assert_int_eq(check(doctor_service_checks, "assertions").state, DOCTOR_WARN);
	info.version = "9.9";
	ck_assert_int_eq(check(doctor_service_checks, "service").state, DOCTOR_WARN);
	info.module.problem = "EACCES";
	ck_assert_int_eq(check(doctor_service_checks, "module-access").state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(check(doctor_service_checks, "module-access").hint, "chown"));
	info.module.problem = "ENOENT";
	ck_assert_ptr_nonnull(
		strstr(check(doctor_service_checks, "module-access").hint, "modprobe"));
}
END_TEST

#define NR_ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("dunectl_doctor");
	TCase *tests = tcase_create("dunectl_doctor");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, processors, 0, NR_ROWS(cpu_rows));
	tcase_add_test(tests, firmware_lock);
	tcase_add_test(tests, module_states);
	tcase_add_test(tests, device_states);
	tcase_add_loop_test(tests, kvm_states, 0, NR_ROWS(kvm_rows));
	tcase_add_loop_test(tests, settings_of_the_kernel, 0, NR_ROWS(file_rows));
	tcase_add_test(tests, what_the_service_says);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
