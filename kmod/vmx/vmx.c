// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX on and off, and which VMCS is active on which CPU. Owns VMXON regions and the per-CPU lists; must
 * never leave a VMCS active on a CPU that goes down, nor CR4.VMXE set once no context is left.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/file.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/cpufeature.h>
#include <asm/hypervisor.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include <asm/tlbflush.h>
#include <asm/vmx.h>
#include "kmod/compat.h"
#include "kmod/context.h"
#include "kmod/hw.h"
#include "kmod/vmx/mitigations.h"
#include "kmod/vmx/vmx.h"

struct vmx_cpu {
	struct vmcs_page *vmxon;
	struct list_head vmcss;		/* active here; interrupts off */
	bool on;
	bool dying;			/* trap 15: nothing is loaded on a CPU that is going down */
};
static DEFINE_PER_CPU(struct vmx_cpu, vmx_cpus);
/* Whose VMCS is current; changes with interrupts off. */
DEFINE_PER_CPU(struct dune_vcpu *, hw_current_vcpu);

static DEFINE_MUTEX(vmx_lock);
static unsigned int vmx_users;		/* contexts; under vmx_lock */
/*
 * A machine of KVM's that is never run: as long as it is there KVM keeps VMX on, on CPUs that come and go, too.
 * NULL while we do that ourselves. Changed under vmx_lock while there are no users.
 */
static struct file *vmx_kvm;
bool hw_shared;	/* the same as a bool, for the way into the guest */
static int vmx_hotplug_state;

const u32 vmx_switched_msrs[VCPU_NR_MSRS] = { MSR_LSTAR, MSR_STAR, MSR_SYSCALL_MASK };

/* ---- one CPU ---- */

static void vmx_compare_msrs(void *differ)
{
	unsigned int i;
	u64 value;

	for (i = 0; i < VCPU_NR_MSRS; i++) {
		rdmsrl(vmx_switched_msrs[i], value);
		if (value != vmx_global.host_msrs[i])
			atomic_set(differ, 1);
	}
}

/* What init computed must hold for this CPU, too (as KVM has checked for itself when it holds VMX). */
static bool vmx_is_same_here(void)
{
	struct vmx_controls controls;
	struct vmx_caps caps;
	const char *missing;

	vmx_read_caps(&caps);
	return caps.basic == vmx_global.caps.basic &&
	       !vmx_controls_compute(&caps, &controls, &missing) &&
	       !memcmp(&controls, &vmx_global.controls, sizeof(controls));
}

static int vmx_on(void)
{
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpus);
	u64 pa = __pa(cpu->vmxon), feature_control;
	atomic_t differ = ATOMIC_INIT(0);

	if (cpu->on)
		return 0;
	if (vmx_kvm) {
		if (!(cr4_read_shadow() & X86_CR4_VMXE))
			return -EBUSY;
		goto on;
	}
	rdmsrl(MSR_IA32_FEAT_CTL, feature_control);
	if (!(feature_control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX) || !vmx_is_same_here())
		return -EOPNOTSUPP;
	/* Trap 1: somebody else holds VMX. Its VMCSs and ours don't mix without care (trap 4). */
	if (cr4_read_shadow() & X86_CR4_VMXE)
		return -EBUSY;
	/* Nobody else is in VMX operation here, so these are the host's own (trap 13). */
	vmx_compare_msrs(&differ);
	if (atomic_read(&differ))
		return -EBUSY;
	/* Older CPUs can't trace in VMX operation: VMXON would end a trace under perf's feet (SDM 3C 33.5.1). */
	intel_pt_handle_vmx(1);
	/* Trap 2: only ever through the kernel's CR4 shadow. */
	cr4_set_bits(X86_CR4_VMXE);
	if (vmx_insn_failed("vmxon %1", "m"(pa))) {
		cr4_clear_bits(X86_CR4_VMXE);
		intel_pt_handle_vmx(0);
		return -EIO;
	}
on:
	cpu->on = true;
	WRITE_ONCE(cpu->dying, false);
	return 0;
}

static void vmx_clear_active(struct dune_vcpu *vcpu)
{
	vmclear(vcpu->vmx.vmcs_pa);
	list_del_init(&vcpu->vmx.link);
	if (this_cpu_read(hw_current_vcpu) == vcpu)
		this_cpu_write(hw_current_vcpu, NULL);
	vcpu->vmx.launched = false;
	smp_store_release(&vcpu->vmx.cpu, -1);	/* pairs with vmx_vcpu_unload */
}

static void vmx_off(void *unused)
{
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpus);
	struct dune_vcpu *vcpu, *next;

	if (!cpu->on)
		return;
	list_for_each_entry_safe(vcpu, next, &cpu->vmcss, vmx.link)
		vmx_clear_active(vcpu);
	cpu->on = false;
	if (vmx_kvm)
		return;
	asm volatile("1: vmxoff\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     :
		     :
		     : "cc", "memory");
	cr4_clear_bits(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
}

static void vmx_on_ipi(void *ret)
{
	int err = vmx_on();

	if (err)
		atomic_cmpxchg((atomic_t *)ret, 0, err);
}

static void vmx_dying_ipi(void *unused)
{
	WRITE_ONCE(this_cpu_ptr(&vmx_cpus)->dying, true);
	vmx_off(NULL);
}

static int vmx_cpu_online(unsigned int nr)
{
	int err = mitigations_cpu_online(nr);
	unsigned long flags;

	mutex_lock(&vmx_lock);
	if (!err && vmx_users) {
		local_irq_save(flags);
		err = vmx_on();
		local_irq_restore(flags);
	}
	mutex_unlock(&vmx_lock);
	return err;
}

static int vmx_cpu_offline(unsigned int nr)
{
	/* User tasks are pushed off this CPU only later: the flag keeps them out of the guest. */
	return smp_call_function_single(nr, vmx_dying_ipi, NULL, 1);
}

/* Reboot and kexec: INIT is blocked in VMX operation, so the CPUs must have left it. */
static int vmx_reboot(struct notifier_block *nb, unsigned long event, void *unused)
{
	on_each_cpu(vmx_dying_ipi, NULL, 1);
	return NOTIFY_OK;
}

/* Suspend and resume of the CPU that is never taken offline; interrupts off. */
static int vmx_suspend(void)
{
	vmx_dying_ipi(NULL);
	return 0;
}

static void vmx_resume(void)
{
	if (vmx_users && vmx_on())
		pr_err("VMX is not on again after resume\n");
}

static struct syscore_ops vmx_syscore_ops = { .suspend = vmx_suspend, .resume = vmx_resume };
/* Before KVM's, of priority 0, which turns VMX off under whoever still uses it. */
static struct notifier_block vmx_reboot_notifier = { .notifier_call = vmx_reboot, .priority = 1 };

/* ---- all CPUs ---- */

/* KVM's own word for it; without KVM there is nobody to ask. */
bool file_is_kvm(struct file *file);

static int get_kvm(u32 fd, struct file **ret_file)
{
	typeof(&file_is_kvm) is_kvm = symbol_get(file_is_kvm);
	struct file *file = fget(fd);
	int err = 0;

	if (!file)
		err = -EBADF;
	/* Under Hyper-V KVM's VMCSs may be of another kind, which VMPTRST doesn't know. */
	else if (!is_kvm || !is_kvm(file) || hypervisor_is_type(X86_HYPER_MS_HYPERV))
		err = -EINVAL;
	if (is_kvm)
		symbol_put(file_is_kvm);
	if (err && file)
		fput(file);
	*ret_file = err ? NULL : file;
	return err;
}

/* The first user, who keeps *kvm. KVM's hooks for suspend have to come after ours, so ours are registered last. */
static int vmx_turn_on(struct file **kvm)
{
	atomic_t err = ATOMIC_INIT(0);

	swap(vmx_kvm, *kvm);
	WRITE_ONCE(hw_shared, vmx_kvm);
	on_each_cpu(vmx_on_ipi, &err, 1);
	if (atomic_read(&err)) {
		on_each_cpu(vmx_off, NULL, 1);
		swap(vmx_kvm, *kvm);
	} else {
		unregister_syscore_ops(&vmx_syscore_ops);
		register_syscore_ops(&vmx_syscore_ops);
	}
	return atomic_read(&err);
}

int hw_get(u32 kvm_fd)
{
	struct file *kvm = NULL;
	int err = kvm_fd ? get_kvm(kvm_fd, &kvm) : 0;

	if (err)
		return err;
	cpus_read_lock();
	mutex_lock(&vmx_lock);
	if (!vmx_users)
		err = vmx_turn_on(&kvm);
	if (!err)
		vmx_users++;
	mutex_unlock(&vmx_lock);
	cpus_read_unlock();
	if (kvm)
		fput(kvm);
	if (err == -EBUSY)
		pr_info_ratelimited(
			"VMX is held by somebody else (is a KVM guest running, or kvm_intel loaded?)\n");
	else if (err)
		pr_err_ratelimited("VMXON failed: %d\n", err);
	return err;
}

void hw_put(void)
{
	struct file *kvm = NULL;

	cpus_read_lock();
	mutex_lock(&vmx_lock);
	if (!--vmx_users) {
		on_each_cpu(vmx_off, NULL, 1);
		swap(vmx_kvm, kvm);
	}
	mutex_unlock(&vmx_lock);
	cpus_read_unlock();
	if (kvm)
		fput(kvm);
}

/* ---- vcpus on CPUs ---- */

static void vmx_clear_ipi(void *arg)
{
	struct dune_vcpu *vcpu = arg;

	if (vcpu->vmx.cpu == smp_processor_id())
		vmx_clear_active(vcpu);
}

static void vmx_vcpu_unload(struct dune_vcpu *vcpu)
{
	int cpu = smp_load_acquire(&vcpu->vmx.cpu);	/* pairs with vmx_clear_active */

	/* -ENXIO: that CPU went down, and cleared its list before it did. */
	if (cpu >= 0)
		smp_call_function_single(cpu, vmx_clear_ipi, vcpu, 1);
}

void hw_claim_shared(struct dune_vcpu *vcpu)
{
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;
	bool lent = test_thread_flag(TIF_USER_RETURN_NOTIFY);
	unsigned int i;

	vmx->foreign_pa = vmptrst();
	if (vmx->foreign_pa != vmx->vmcs_pa)
		dune_assert(!vmptrld(vmx->vmcs_pa));
	/* KVM skips a WRMSR, too, where it believes that its value is still there: an exit leaves it there. */
	for (i = 0; i < VCPU_NR_MSRS; i++)
		vmx->host_msrs[i].value = lent ? __rdmsr(vmx_switched_msrs[i]) :
						 vmx_global.host_msrs[i];
}

/* Trap 4: KVM skips VMPTRLD when it believes that its VMCS is the current one. */
void hw_yield_shared(struct dune_vcpu *vcpu)
{
	u64 pa = vcpu->vmx.foreign_pa;

	if (pa != vcpu->vmx.vmcs_pa && pa != -1ull)
		dune_assert(!vmptrld(pa));
}

void hw_vcpu_load(struct dune_vcpu *vcpu)
{
	int nr = smp_processor_id();
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpus);
	unsigned long flags;

	if (vcpu->vmx.cpu != nr)
		vmx_vcpu_unload(vcpu);
	local_irq_save(flags);
	if (cpu->on && !READ_ONCE(cpu->dying)) {
		hw_claim(vcpu);
		if (vcpu->vmx.cpu != nr) {
			dune_assert(vcpu->vmx.cpu == -1);
			list_add(&vcpu->vmx.link, &cpu->vmcss);
			WRITE_ONCE(vcpu->vmx.cpu, nr);
			/* This CPU may hold translations from the last time we were here. */
			vcpu->vmx.flush_vpid = true;
			vcpu_count(vcpu, DUNE_COUNT_MIGRATIONS);
			dune_assert(!vmptrld(vcpu->vmx.vmcs_pa));
			if (!vcpu->vmx.state_written)
				vmcs_write_initial(vcpu);
			vmcs_write_host_cpu(vcpu);
		} else {
			dune_assert(!vmptrld(vcpu->vmx.vmcs_pa));
		}
		this_cpu_write(hw_current_vcpu, vcpu);
		hw_yield(vcpu);
	}
	local_irq_restore(flags);
}

static DEFINE_IDA(vmx_vpids);

int hw_vcpu_init(struct dune_vcpu *vcpu)
{
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;
	int vpid;

	vmx->cpu = -1;
	INIT_LIST_HEAD(&vmx->link);
	/* VPID 0 is the host's (SDM 3C 29.1). */
	vpid = ida_alloc_range(&vmx_vpids, 1, U16_MAX, GFP_KERNEL);
	if (vpid < 0)
		return vpid;
	vmx->vpid = vpid;
	vmx->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs)
		return -ENOMEM;
	atomic64_inc(&dune_allocated.vmcs_pages);
	vmx->vmcs_pa = __pa(vmx->vmcs);
	vmx->vmcs->revision = vmx_global.caps.basic & 0x7fffffff;
	preempt_disable();
	vmclear(vmx->vmcs_pa);
	preempt_enable();
	return 0;
}

void hw_vcpu_done(struct dune_vcpu *vcpu)
{
	struct dune_vmx_vcpu *vmx = &vcpu->vmx;

	if (vmx->vmcs) {
		preempt_disable();
		vmx_vcpu_unload(vcpu);
		preempt_enable();
		free_page((unsigned long)vmx->vmcs);
		atomic64_dec(&dune_allocated.vmcs_pages);
	}
	if (vmx->vpid)
		ida_free(&vmx_vpids, vmx->vpid);
}

void hw_flush_ept(u64 root_pa)
{
	dune_assert(!vmx_invept_context(vmx_eptp(root_pa)));
}

/* ---- load and unload ---- */

/*
 * Trap 13: a CPU holds KVM's guest values until it returns to user space. The host's are the same on every
 * CPU, so what all of them agree on is taken.
 */
int vmx_capture_host_msrs(void)
{
	unsigned int i, tries;
	atomic_t differ;

	for (tries = 0; tries < 100; tries++) {
		for (i = 0; i < VCPU_NR_MSRS; i++)
			rdmsrl(vmx_switched_msrs[i], vmx_global.host_msrs[i]);
		atomic_set(&differ, 0);
		on_each_cpu(vmx_compare_msrs, &differ, 1);
		if (!atomic_read(&differ))
			return 0;
		msleep(20);
	}
	pr_err("the CPUs do not agree on their system call MSRs\n");
	return -EBUSY;
}

static void vmx_free_regions(void)
{
	int nr;

	for_each_possible_cpu(nr)
		free_page((unsigned long)per_cpu(vmx_cpus, nr).vmxon);
}

static int vmx_alloc_regions(void)
{
	int nr;

	for_each_possible_cpu(nr) {
		struct vmx_cpu *cpu = &per_cpu(vmx_cpus, nr);

		INIT_LIST_HEAD(&cpu->vmcss);
		cpu->vmxon = (void *)get_zeroed_page(GFP_KERNEL);
		if (!cpu->vmxon)
			return -ENOMEM;
		cpu->vmxon->revision = vmx_global.caps.basic & 0x7fffffff;
	}
	return 0;
}

int vmx_cpus_init(void)
{
	int err = vmx_alloc_regions() ?:
			  cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "dune:online", vmx_cpu_online,
					    vmx_cpu_offline);

	if (err < 0) {
		vmx_free_regions();
		return err;
	}
	vmx_hotplug_state = err;
	register_reboot_notifier(&vmx_reboot_notifier);
	register_syscore_ops(&vmx_syscore_ops);
	return 0;
}

void vmx_cpus_done(void)
{
	unregister_syscore_ops(&vmx_syscore_ops);
	unregister_reboot_notifier(&vmx_reboot_notifier);
	cpuhp_remove_state(vmx_hotplug_state);
	vmx_free_regions();
	ida_destroy(&vmx_vpids);
}

u64 vmx_holder(void)
{
	u64 holder;

	mutex_lock(&vmx_lock);
	holder = !vmx_users ? DUNE_VMX_OFF : vmx_kvm ? DUNE_VMX_KVM : DUNE_VMX_OWN;
	mutex_unlock(&vmx_lock);
	return holder;
}
