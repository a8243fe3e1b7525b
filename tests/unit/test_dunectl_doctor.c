// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor's checks of a host, shown a folder with another host's files. What depends on this host's own
 * users and service is tested by running dunectl (test_dunectl.c).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <check.h>

#include "dunectl/doctor.h"
#include "dunectl/dunectl.h"
#include "proto/dune_abi.h"
#include "tests/unit/suite.h"

/* Linux 6.3 */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE		 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

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
	{ CPUINFO("nx", ""), "cpu-nx", DOCTOR_OK, NULL },
	{ CPUINFO("nxx", ""), "cpu-nx", DOCTOR_FAIL, "Execute Disable" },
	{ CPUINFO("vmx", ""), "cpu-fred", DOCTOR_OK, NULL },
	{ CPUINFO("vmx fred", ""), "cpu-fred", DOCTOR_FAIL, "fred=off" },
	{ CPUINFO("vmx", ""), "nested", DOCTOR_OK, NULL },
	{ CPUINFO("vmx hypervisor", ""), "nested", DOCTOR_OK, NULL },
	{ CPUINFO("hypervisor", ""), "nested", DOCTOR_FAIL, "nested=1" },
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
	ck_assert_ptr_nonnull(strstr(finding.hint, "dkms-install"));
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
	mode_t mode; /* of /dev/kvm; 0: there is none */
	enum doctor_state state;
} kvm_rows[] = {
	{ NULL, NULL, 0, DOCTOR_OK },	     { "0\n", NULL, 0, DOCTOR_WARN },
	{ "0\n", "N\n", 0600, DOCTOR_WARN }, { "0\n", "Y\n", 0, DOCTOR_FAIL },
	{ "2\n", NULL, 0604, DOCTOR_FAIL },  { "0\n", NULL, 0666, DOCTOR_OK },
	{ "0\n", "Y\n", 0606, DOCTOR_OK },   { "2\n", NULL, 0666, DOCTOR_OK },
};

START_TEST(kvm_states)
{
	const struct kvm_row *row = &kvm_rows[_i];

	if (row->count)
		put("/sys/module/kvm_intel/refcnt", row->count);
	if (row->early)
		put("/sys/module/kvm/parameters/enable_virt_at_load", row->early);
	if (row->mode) {
		char path[128];

		put("/dev/kvm", "");
		snprintf(path, sizeof(path), "%s/dev/kvm", root);
		ck_assert_int_eq(chmod(path, row->mode), 0);
	}
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

/* What was forbidden where dunectl was started, as far as this kernel can. */
START_TEST(rules_on_this_process)
{
	struct doctor_finding finding = check(doctor_host_checks, "prctl");

	ck_assert_int_eq(finding.state, DOCTOR_OK);
	ck_assert_int_eq(prctl(PR_SET_TSC, PR_TSC_SIGSEGV), 0);
	finding = check(doctor_host_checks, "prctl");
	ck_assert_int_eq(prctl(PR_SET_TSC, PR_TSC_ENABLE), 0);
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.detail, "PR_SET_TSC"));
	/* It is for good: this is the last test of its process. */
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0) {
		finding = check(doctor_host_checks, "prctl");
		ck_assert_int_eq(finding.state, DOCTOR_FAIL);
		ck_assert_ptr_nonnull(strstr(finding.detail, "PR_SET_MDWE"));
	}
}
END_TEST

#define LOADED	    "/sys/module/dune/parameters/max_contexts"
#define RELEASE	    "/proc/sys/kernel/osrelease"
#define L1TF	    "/sys/devices/system/cpu/vulnerabilities/l1tf"
#define LOCKDOWN    "/sys/kernel/security/lockdown"
#define ENFORCE	    "/sys/module/module/parameters/sig_enforce"
#define PARAMETERS  "/sys/module/dune/parameters/"
#define VMX_IS_HELD "<6>[1.0] dune: VMX is held by somebody else (is a KVM guest running?)\n"

/* One check of doctor_kernel.c, with the module loaded or not. */
static const struct kernel_row {
	const char *what, *path, *text;
	bool loaded;
	enum doctor_state state;
	const char *hint; /* part of it; NULL: none at all */
} kernel_rows[] = {
	{ "kernel", RELEASE, "6.1.0-56-amd64\n", false, DOCTOR_OK, NULL },
	{ "kernel", RELEASE, "6.0.9\n", false, DOCTOR_FAIL, "6.1" },
	{ "kernel", RELEASE, "5.19.0\n", false, DOCTOR_FAIL, "6.1" },
	{ "kernel", RELEASE, "6.12.57+deb13-amd64\n", false, DOCTOR_OK, NULL },
	{ "kernel", RELEASE, "6.8.0-31-generic\n", false, DOCTOR_WARN, "Debian 12 or 13" },
	{ "kernel", RELEASE, "99.1\n", false, DOCTOR_WARN, "Debian 12 or 13" },
	{ "kernel", RELEASE, "99.1\n", true, DOCTOR_OK, NULL },
	{ "kernel", RELEASE, "x\n", false, DOCTOR_WARN, NULL },
	{ "xen", "/sys/hypervisor/guest_type", "PV\n", false, DOCTOR_FAIL, "HVM" },
	{ "xen", "/sys/hypervisor/guest_type", "PVH\n", false, DOCTOR_OK, NULL },
	{ "xen", "/elsewhere", "PV\n", false, DOCTOR_OK, NULL },
	{ "l1tf", L1TF, "Not affected\n", false, DOCTOR_OK, NULL },
	{ "l1tf", L1TF, "Mitigation: PTE Inversion\n", false, DOCTOR_FAIL, "microcode" },
	{ "l1tf", L1TF, "Mitigation: PTE Inversion\n", true, DOCTOR_OK, NULL },
	{ "l1tf", "/elsewhere", "", false, DOCTOR_WARN, NULL },
	{ "signing", LOCKDOWN, "[none] integrity confidentiality\n", false, DOCTOR_OK, NULL },
	{ "signing", LOCKDOWN, "none [integrity] confidentiality\n", false, DOCTOR_WARN,
	  "mokutil" },
	{ "signing", LOCKDOWN, "none integrity [confidentiality]\n", false, DOCTOR_WARN,
	  "mokutil" },
	{ "signing", LOCKDOWN, "none [integrity] confidentiality\n", true, DOCTOR_OK, NULL },
	{ "signing", ENFORCE, "Y\n", false, DOCTOR_WARN, "mokutil" },
	{ "signing", ENFORCE, "N\n", false, DOCTOR_OK, NULL },
	{ "kernel-log", "/elsewhere", "", false, DOCTOR_WARN, "as root" },
	{ "kernel-log", "/elsewhere", "", true, DOCTOR_OK, NULL },
	{ "kernel-log", "/dev/kmsg", "<6>[1.0] dunes: nothing\n", false, DOCTOR_OK, NULL },
	{ "kernel-log", "/dev/kmsg", "<3>[1.0] dune: this machine lacks MSR bitmaps\n", false,
	  DOCTOR_FAIL, "another machine" },
	{ "kernel-log", "/dev/kmsg", "<3>[1.0] dune: this machine lacks MSR bitmaps\n", true,
	  DOCTOR_OK, NULL },
	{ "kernel-log", "/dev/kmsg", "dune: the CPUs do not agree on their system call MSRs\n",
	  false, DOCTOR_FAIL, "modprobe dune" },
	{ "kernel-log", "/dev/kmsg", "<3>[1.0] dune: `9' invalid for parameter `max_ept'\n", false,
	  DOCTOR_FAIL, "modinfo" },
	{ "kernel-log", "/dev/kmsg", "<3>[1.0] xdum: `9' invalid for parameter `max_ept'\n", false,
	  DOCTOR_OK, NULL },
	{ "kernel-log", "/dev/kmsg", "dune: version magic '6.1' should be '6.2'\n", false,
	  DOCTOR_FAIL, "another kernel" },
	{ "kernel-log", "/dev/kmsg", "dune: disagrees about version of symbol x\n", false,
	  DOCTOR_FAIL, "another kernel" },
	{ "kernel-log", "/dev/kmsg", "dune: Unknown symbol x (err -2)\n", false, DOCTOR_FAIL,
	  "another kernel" },
	{ "kernel-log", "/dev/kmsg", "Loading of unsigned module is rejected\n", false, DOCTOR_FAIL,
	  "mokutil" },
	{ "kernel-log", "/dev/kmsg",
	  "Lockdown: modprobe: unsigned module loading is restricted; see man\n", false,
	  DOCTOR_FAIL, "mokutil" },
	{ "kernel-log", "/dev/kmsg", "Loading of module with unavailable key is rejected\n", false,
	  DOCTOR_FAIL, "enroll" },
	{ "kernel-log", "/dev/kmsg", VMX_IS_HELD, true, DOCTOR_WARN, "kvm_intel" },
	{ "kernel-log", "/dev/kmsg",
	  "<3>[1.0] dune: CPU 1 shares a core that has the L1TF bug: not online with this module\n",
	  true, DOCTOR_WARN, "modprobe -r dune" },
	{ "kernel-log", "/dev/kmsg", "dune: VMXON failed: -95\n", true, DOCTOR_WARN, "firmware" },
	{ "kernel-log", "/dev/kmsg", "dune: VMX is not on again after resume\n", true, DOCTOR_WARN,
	  "modprobe -r dune" },
	/* The last word counts. */
	{ "kernel-log", "/dev/kmsg", VMX_IS_HELD "[2.0] dune: VMXON failed: -95\n", false,
	  DOCTOR_WARN, "firmware" },
	{ "kernel-log", "/dev/kmsg", "dune: VMXON failed: -95\n" VMX_IS_HELD, false, DOCTOR_WARN,
	  "kvm_intel" },
	{ "ceilings", "/elsewhere", "", false, DOCTOR_WARN, NULL },
	{ "ceilings", "/elsewhere", "", true, DOCTOR_OK, NULL },
	{ "ceilings", PARAMETERS "max_contexts", "0\n", false, DOCTOR_FAIL, "max_contexts" },
	{ "ceilings", PARAMETERS "max_vcpus", "0\n", true, DOCTOR_FAIL, "max_vcpus" },
	{ "ceilings", PARAMETERS "max_private", "31\n", true, DOCTOR_FAIL, "max_private" },
	{ "ceilings", PARAMETERS "max_private", "32\n", true, DOCTOR_OK, NULL },
};

START_TEST(what_the_kernel_shows)
{
	const struct kernel_row *row = &kernel_rows[_i];
	struct doctor_finding finding;

	if (row->loaded)
		put(LOADED, "10000\n");
	put(row->path, row->text);
	finding = check(doctor_kernel_checks, row->what);
	ck_assert_msg(finding.state == row->state, "%s: %d, %s", row->text, finding.state,
		      finding.detail);
	if (row->hint)
		ck_assert_ptr_nonnull(strstr(finding.hint, row->hint));
	else
		ck_assert_str_eq(finding.hint, "");
}
END_TEST

/* The module refuses a CPU with L1TF by its microcode and SMT, unless the kernel cares for no bug. */
static const struct l1tf_row {
	const char *flags, *smt, *cmdline;
	enum doctor_state state;
	const char *hint;
} l1tf_rows[] = {
	{ "flush_l1d", "0\n", "quiet\n", DOCTOR_OK, NULL },
	{ "flush_l1d", "1\n", "quiet\n", DOCTOR_FAIL, "echo off" },
	{ "flush_l1d", "1\n", "quiet mitigations=off\n", DOCTOR_OK, NULL },
	{ "flush_l1", "0\n", "quiet\n", DOCTOR_FAIL, "microcode" },
	{ "flush_l1", "0\n", "mitigations=off\n", DOCTOR_OK, NULL },
	{ "flush_l1", "0\n", "mitigations=auto\n", DOCTOR_FAIL, "microcode" },
};

START_TEST(l1tf_as_the_module_sees_it)
{
	const struct l1tf_row *row = &l1tf_rows[_i];
	struct doctor_finding finding;
	char cpuinfo[64];

	snprintf(cpuinfo, sizeof(cpuinfo), "flags\t\t: fpu %s vmx\n", row->flags);
	put("/proc/cpuinfo", cpuinfo);
	put("/proc/cmdline", row->cmdline);
	put("/sys/devices/system/cpu/smt/active", row->smt);
	put(L1TF, "Mitigation: PTE Inversion\n");
	finding = check(doctor_kernel_checks, "l1tf");
	ck_assert_msg(finding.state == row->state, "row %d: %s", _i, finding.detail);
	if (row->hint)
		ck_assert_ptr_nonnull(strstr(finding.hint, row->hint));
	else
		ck_assert_str_eq(finding.hint, "");
}
END_TEST

/* Four bytes of attributes, then the value. */
START_TEST(secure_boot)
{
	static const char on[] = { 6, 0, 0, 0, 1 };
	char path[512];
	FILE *file;

	put("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "");
	ck_assert_int_eq(check(doctor_kernel_checks, "signing").state, DOCTOR_OK);
	snprintf(path, sizeof(path), "%s%s", root,
		 "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fwrite(on, 1, sizeof(on), file);
	fclose(file);
	ck_assert_int_eq(check(doctor_kernel_checks, "signing").state, DOCTOR_WARN);
}
END_TEST

START_TEST(loader_modes)
{
	struct doctor_finding finding;
	char path[512];

	put("/dune-exec", "x");
	snprintf(path, sizeof(path), "%s/dune-exec", root);
	setenv("DUNE_EXEC", path, 1);
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_int_eq(check(doctor_host_checks, "dune-exec").state, DOCTOR_OK);
	ck_assert_int_eq(chmod(path, 0711), 0);
	finding = check(doctor_host_checks, "dune-exec");
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.hint, "chmod 755"));
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_ptr_nonnull(strstr(check(doctor_host_checks, "dune-exec").hint, "make install"));
}
END_TEST

/* A socket that this user, nobody when root runs this, may not write to. */
START_TEST(socket_modes)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct doctor_finding finding;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", root);
	ctl.socket = address.sun_path;
	ck_assert_ptr_nonnull(strstr(check(doctor_service_checks, "socket").hint, "systemctl"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(chmod(address.sun_path, 0666), 0);
	ck_assert_int_eq(check(doctor_service_checks, "socket").state, DOCTOR_OK);
	ck_assert_int_eq(chmod(address.sun_path, 0400), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(root, 0755), 0);
		ck_assert_int_eq(setresuid(65534, 65534, 0), 0);
	}
	finding = check(doctor_service_checks, "socket");
	if (getuid() == 65534)
		ck_assert_int_eq(setresuid(0, 0, 0), 0);
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.hint, "duned.socket"));
	ctl.socket = NULL;
	close(fd);
}
END_TEST

START_TEST(firmware_by_the_log)
{
	put("/proc/cpuinfo", CPUINFO("", ""));
	put("/dev/kmsg", "<6>[0.1] x86/cpu: VMX (outside TXT) disabled by BIOS\n");
	ck_assert_int_eq(check(doctor_cpu_checks, "firmware").state, DOCTOR_FAIL);
}
END_TEST

/* Every errno of opening or asking the device has a remedy of its own. */
static const struct problem_row {
	const char *problem, *hint;
} problem_rows[] = {
	{ "ENOENT", "modprobe dune" }, { "ENXIO", "stale" },
	{ "ENODEV", "stale" },	       { "EACCES", "chown" },
	{ "EPERM", "DeviceAllow" },    { "EPROTONOSUPPORT", "one version" },
	{ "EMFILE", "LimitNOFILE" },   { "ENFILE", "file-max" },
	{ "ENOMEM", "memory" },	       { "EIO", "restart duned" },
};

START_TEST(problems_of_the_service)
{
	const struct problem_row *row = &problem_rows[_i];
	struct dune_client_info info = { .version = DUNE_VERSION,
					 .module = { .problem = (char *)row->problem } };
	struct doctor_finding finding;

	doctor.info = &info;
	finding = check(doctor_service_checks, "module-access");
	ck_assert_int_eq(finding.state, DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(finding.detail, row->problem));
	ck_assert_ptr_nonnull(strstr(finding.hint, row->hint));
	ck_assert_int_eq(check(doctor_service_checks, "quotas").state, DOCTOR_FAIL);
	info.quotas.contexts_per_host = 1;
	ck_assert_int_eq(check(doctor_service_checks, "quotas").state, DOCTOR_FAIL);
	info.quotas.contexts_per_user = 1;
	ck_assert_int_eq(check(doctor_service_checks, "quotas").state, DOCTOR_OK);
}
END_TEST

START_TEST(what_the_service_says)
{
	struct dune_client_info info = {
		.version = DUNE_VERSION,
		.module = { .loaded = true,
			    .abi = DUNE_ABI_VERSION,
			    .abi_expected = DUNE_ABI_VERSION },
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
	info.module.abi_expected = DUNE_ABI_VERSION + 1;
	ck_assert_int_eq(check(doctor_service_checks, "abi").state, DOCTOR_FAIL);
	info.module.abi = DUNE_ABI_VERSION + 1;
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

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, processors, 0, NR_ROWS(cpu_rows));
	tcase_add_test(tests, firmware_lock);
	tcase_add_test(tests, module_states);
	tcase_add_test(tests, device_states);
	tcase_add_loop_test(tests, kvm_states, 0, NR_ROWS(kvm_rows));
	tcase_add_test(tests, rules_on_this_process);
	tcase_add_loop_test(tests, settings_of_the_kernel, 0, NR_ROWS(file_rows));
	tcase_add_loop_test(tests, what_the_kernel_shows, 0, NR_ROWS(kernel_rows));
	tcase_add_loop_test(tests, l1tf_as_the_module_sees_it, 0, NR_ROWS(l1tf_rows));
	tcase_add_test(tests, secure_boot);
	tcase_add_test(tests, loader_modes);
	tcase_add_test(tests, socket_modes);
	tcase_add_test(tests, firmware_by_the_log);
	tcase_add_loop_test(tests, problems_of_the_service, 0, NR_ROWS(problem_rows));
	tcase_add_test(tests, what_the_service_says);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
