# SPDX-License-Identifier: LGPL-2.1-or-later
# One Makefile for everything; `make help` lists the targets.

MAKEFLAGS += --no-builtin-rules
VERSION := 0.1.0
B ?= $(if $(SAN),build/san,build)
PREFIX ?= /usr
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/lib/dune
# Distributions keep libraries in a folder per architecture, and units and rules where their systemd says.
LIBDIR ?= $(PREFIX)/lib
UNITDIR ?= $(PREFIX)/lib/systemd/system
UDEVDIR ?= $(PREFIX)/lib/udev
CC := gcc
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = @printf '  %-8s %s\n' $(1) $(2)

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wno-unused-parameter
WERROR := $(if $(CI),-Werror)
comma := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer)
CPPFLAGS := -I. -Ilibdune/include -D_GNU_SOURCE -DDUNE_VERSION='"$(VERSION)"' \
	-DDUNE_LIBEXECDIR='"$(LIBEXECDIR)"' -DDUNE_SYSCONFDIR='"$(SYSCONFDIR)"' $(EXTRA_CPPFLAGS)
CFLAGS := -std=gnu11 -O2 -g $(WARN) $(WERROR) $(SANFLAGS) $(EXTRA_CFLAGS)

.PHONY: all help
all: module user

help:
	@sed -n 's/^## //p' Makefile

.DELETE_ON_ERROR:
.SECONDARY:

# Objects: every .c of a folder, dependencies tracked by the compiler.
$(B)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(firstword $(subst /, ,$<))) -MMD -MP -c -o $@ $<

objs = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
-include $(shell find $(B) -path '$(B)/deb*' -prune -o -type f -name '*.d' -print 2>/dev/null)

# ---- userspace: libdune, duned, dunectl, dune-exec ----
.PHONY: duned
user: duned
duned: $(B)/duned/duned

PROTO_OBJS := $(patsubst %,$(B)/proto/%.o,bugs json_gate json_text names varlink)
DUNED_OBJS = $(call objs,duned)
DUNED_LIBS := -lev -ljson-c -lsystemd
# proto/ is linked into programs and into libdune.so
CFLAGS_proto := -fPIC -fvisibility=hidden

$(B)/duned/duned: $(DUNED_OBJS) $(PROTO_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DUNED_LIBS)

# interfaces.c embeds the texts
$(B)/duned/interfaces.o: $(wildcard proto/*.varlink)

# dune-exporter: a client of duned like any other; libmicrohttpd is its alone.
.PHONY: exporter
user: exporter
exporter: $(B)/duned/exporter/dune-exporter
EXPORTER_LIBS := -lmicrohttpd -lev -lsystemd -ljson-c -lpthread -lm
EXPORTER_PAGE := $(addprefix duned/exporter/page,.html .css _basics.js _chart.js .js)

$(B)/duned/exporter/page_data.c: duned/exporter/embed.py $(EXPORTER_PAGE)
	$(call say,EMBED,$@)
	@mkdir -p $(@D)
	$(Q)python3 duned/exporter/embed.py duned/exporter >$@

$(B)/duned/exporter/page_data.o: $(B)/duned/exporter/page_data.c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-overlength-strings -MMD -MP -c -o $@ $<

EXPORTER_OBJS = $(call objs,duned/exporter) $(B)/duned/exporter/page_data.o $(B)/proto/names.o
$(B)/duned/exporter/dune-exporter: $(EXPORTER_OBJS) $(B)/libdune.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(EXPORTER_LIBS)

# Tests of its parts; test_exporter_http runs it
$(B)/tests/unit/test_exporter: $(filter-out %/main.o %/http.o %/page_data.o,$(EXPORTER_OBJS))
$(B)/tests/unit/test_exporter: UNIT_LIBS += $(B)/libdune.a

# Documents for tests of its page
EXPORTER_DEMO_OBJS := $(patsubst %,$(B)/duned/exporter/%.o,history trouble sample shown) $(B)/proto/names.o
$(B)/tests/service/exporter/demo_history: $(B)/tests/service/exporter/demo_history.o $(EXPORTER_DEMO_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljson-c -lm

# libdune: client/ (to the service) and host/ (entering Dune mode), without and with sharing
.PHONY: libdune dunectl
user: libdune dunectl
libdune: $(B)/libdune.a $(B)/libdune.so.1
dunectl: $(B)/dunectl/dunectl

LIBDUNE_DIRS := libdune/client libdune/host
LIBDUNE_OBJS = $(foreach d,$(LIBDUNE_DIRS),$(call objs,$(d)) \
	$(patsubst %.S,$(B)/%.o,$(wildcard $(d)/*.S)))
LIBDUNE_LIBS := -ljson-c
$(LIBDUNE_OBJS): CFLAGS += -fPIC -fvisibility=hidden

# The archive is one object with hidden symbols made local: only libdune.sym's names can be linked to.
$(B)/libdune.a: $(PROTO_OBJS) $(LIBDUNE_OBJS)
	$(call say,AR,$@)
	$(Q)$(LD) -r -o $(B)/libdune.o $^
	$(Q)objcopy --localize-hidden $(B)/libdune.o
	$(Q)rm -f $@ && $(AR) rcsD $@ $(B)/libdune.o

$(B)/libdune.so.1: $(PROTO_OBJS) $(LIBDUNE_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libdune.so.1 $(if $(SAN),,-Wl,-z,defs) \
		-o $@ $^ $(LIBDUNE_LIBS)
	$(Q)ln -sf libdune.so.1 $(B)/libdune.so

$(B)/dunectl/dunectl: $(call objs,dunectl) $(B)/proto/names.o $(B)/libdune.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBDUNE_LIBS) -lsystemd -lm


# The guest runtime: ring-0 code in private memory, linked at a fixed address; its image becomes a part
# of libdune/host (image.S). Never built with sanitizers: it has no libc.
GUEST_CFLAGS := -std=gnu11 -O2 -g $(WARN) $(WERROR) -ffreestanding -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing
GUEST_OBJS = $(call objs,libdune/guest) \
	$(patsubst %.S,$(B)/%.o,$(wildcard libdune/guest/*.S))

$(B)/libdune/guest/%.o: libdune/guest/%.c
	$(call say,CC-G,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.o: %.S
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -D__ASSEMBLY__ -Wa,-I$(B) -MMD -MP -c -o $@ $<

$(B)/guest/runtime.elf: $(GUEST_OBJS) libdune/guest/runtime.lds
	$(call say,LD-G,$@)
	@mkdir -p $(@D)
	$(Q)$(LD) -static -nostdlib -z noexecstack --no-warn-rwx-segments \
		-T libdune/guest/runtime.lds -o $@ $(GUEST_OBJS)

$(B)/guest/runtime.bin: $(B)/guest/runtime.elf
	$(Q)objcopy -O binary $< $@

$(B)/libdune/host/image.o: $(B)/guest/runtime.bin

# dune-exec loads a program and becomes it: static-PIE, so that it is out of the program's way.
# (A static-PIE has no sanitizers, so it is left out of SAN=1.)
user: $(if $(SAN),,$(B)/dune-exec) $(B)/examples/hello
EXEC_OBJS = $(call objs,libdune/exec) $(call objs,libdune/host) $(B)/libdune/host/image.o \
	$(B)/libdune/host/jump.o
$(call objs,libdune/exec): CFLAGS += -fPIE

$(B)/dune-exec: $(EXEC_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -static-pie -Wl,-z,noexecstack -o $@ $^

# What their unit tests need of dune-exec
$(B)/tests/unit/test_elf: $(B)/libdune/exec/elf.o
$(B)/tests/unit/test_exec_stack: $(B)/libdune/exec/stack.o

# dune-exec as on a processor without 1 GB pages, for a test
vm-progs: $(if $(SAN),,$(B)/tests/vm/dune-exec-2m)
$(B)/tests/vm/dune-exec-2m: $(EXEC_OBJS) libdune/host/load.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -fPIE -DNO_PAGE_1G=1 -static-pie \
		-Wl,-z,noexecstack -o $@ libdune/host/load.c \
		$(filter-out $(B)/libdune/host/load.o,$(EXEC_OBJS))

$(B)/tests/vm/exec_stack: tests/vm/progs/exec_stack.c
	$(call say,VMPROG,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -static -Wl,-z,execstack -o $@ $<

# Test programs that enter Dune mode themselves
$(B)/tests/vm/ring0_%: tests/vm/progs/ring0_%.c $(B)/libdune.a
	$(call say,VMPROG,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -static -MMD -MP -MF $@.d \
		-o $@ $< $(filter %.o %.a,$^) $(LIBDUNE_LIBS)

# One of them is in pieces
HOSTMEM_OBJS = $(call objs,tests/vm/progs/hostmem)
$(HOSTMEM_OBJS): CFLAGS := -std=gnu11 -O2 -g $(WARN) $(WERROR)
$(B)/tests/vm/ring0_hostmem: $(HOSTMEM_OBJS)

# Users of the service, who come with libdune's client
STORM_OBJS = $(call objs,tests/vm/progs/storm)
$(STORM_OBJS): CFLAGS := -std=gnu11 -O2 -g $(WARN) $(WERROR)
vm-progs: $(B)/tests/vm/storm
$(B)/tests/vm/storm: $(STORM_OBJS) $(B)/libdune.a
	$(call say,VMPROG,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -o $@ $^ $(LIBDUNE_LIBS)

$(B)/examples/%: $(B)/libdune/examples/%.o $(B)/libdune.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBDUNE_LIBS)


# ---- module ----
# Twice from the same sources: for Debian's cloud kernel, which the emulated machine boots, and for the
# kernel that runs here. Kbuild writes beside its sources, so each gets a tree of links.
KMOD_SOURCES := $(wildcard kmod/*.[chS] kmod/vmx/*.[chS]) kmod/Kbuild proto/dune_abi.h
VM_KERNEL_BUILD ?= $(lastword $(sort $(wildcard /usr/src/linux-headers-*-cloud-amd64)))
KERNEL_BUILD ?= /lib/modules/$(shell uname -r)/build
# kbuild(folder, kernel's build folder, arguments, a command to run make with). Its callers say "+": make
# does not see the $(MAKE) in it, and would keep the processes of -j from it.
kbuild = mkdir -p $(1)/vmx && for f in $(patsubst kmod/%,%,$(filter kmod/%,$(KMOD_SOURCES))); do \
	ln -sfn $(CURDIR)/kmod/$$f $(1)/$$f; done && \
	$(4) $(MAKE) -s -C $(2) M=$(abspath $(1)) DUNE_TOP=$(CURDIR) KCFLAGS="$(if $(CI),-Werror)" $(3)

# setcap(folder, kernel's build folder, a command): a test's module, for the emulated machine only
SETCAP_SOURCES := $(wildcard tests/vm/setcap/*)
setcap = mkdir -p $(1)/setcap && ln -sfn $(addprefix $(CURDIR)/,$(SETCAP_SOURCES)) $(1)/setcap/ && \
	$(3) $(MAKE) -s -C $(2) M=$(abspath $(1)/setcap) modules

.PHONY: module modules_install sparse
## module	dune.ko for the emulated machine's kernel
module: $(B)/kmod/dune.ko

module: $(B)/kmod/setcap/setcap.ko
$(B)/kmod/setcap/setcap.ko: $(SETCAP_SOURCES)
	$(call say,KBUILD,$@)
	+$(Q)$(call setcap,$(B)/kmod,$(VM_KERNEL_BUILD))

$(B)/kmod/dune.ko: $(KMOD_SOURCES)
	$(call say,KBUILD,$@)
	@[ -n "$(VM_KERNEL_BUILD)" ] || { echo "no cloud kernel headers: make deps" >&2; exit 1; }
	+$(Q)$(call kbuild,$(B)/kmod,$(VM_KERNEL_BUILD),modules)

## modules_install	dune.ko for the running kernel (KERNEL_BUILD=DIR for another), into /lib/modules
modules_install: $(KMOD_SOURCES)
	@[ -d "$(KERNEL_BUILD)" ] || \
		{ echo "no kernel headers in $(KERNEL_BUILD): install them, or name KERNEL_BUILD=" >&2; exit 1; }
	$(call say,KBUILD,$(B)/kmod-host/dune.ko)
	+$(Q)$(call kbuild,$(B)/kmod-host,$(KERNEL_BUILD),modules)
	$(Q)release=$$(/sbin/modinfo -F vermagic $(B)/kmod-host/dune.ko | cut -d' ' -f1) && \
	install -D -m 644 $(B)/kmod-host/dune.ko $(DESTDIR)/lib/modules/$$release/extra/dune.ko && \
	strip --strip-debug $(DESTDIR)/lib/modules/$$release/extra/dune.ko && \
	{ [ -n "$(DESTDIR)" ] || depmod $$release; } && \
	echo "  installed dune.ko for $$release; next, as root: modprobe dune"

# DKMS: the sources below /usr/src, built anew for every kernel that is installed later.
DKMS_TREE := /usr/src/dune-$(VERSION)
DKMS_KERNEL ?= $(shell uname -r)
.PHONY: dkms-install dkms-uninstall
## dkms-install	dune.ko by DKMS, for the running kernel (DKMS_KERNEL=RELEASE for another) and later ones
dkms-install: $(KMOD_SOURCES) kmod/dkms.conf
	@grep -qx 'MODULE_VERSION("$(VERSION)");' kmod/main.c || \
		{ echo "kmod/main.c names another version than $(VERSION)" >&2; exit 1; }
	@[ -n "$(DESTDIR)" ] || command -v dkms >/dev/null || \
		{ echo "no dkms here: apt-get install dkms" >&2; exit 1; }
	$(Q)rm -rf $(DESTDIR)$(DKMS_TREE)
	$(Q)for f in $(KMOD_SOURCES); do \
		install -D -m 644 $$f $(DESTDIR)$(DKMS_TREE)/$$f || exit 1; done
	$(Q)sed 's,@VERSION@,$(VERSION),' kmod/dkms.conf >$(DESTDIR)$(DKMS_TREE)/dkms.conf
	$(Q)[ -n "$(DESTDIR)" ] || { dkms remove dune/$(VERSION) --all >/dev/null 2>&1; \
		dkms add dune/$(VERSION) && dkms install dune/$(VERSION) -k $(DKMS_KERNEL); }

## dkms-uninstall	remove what dkms-install put there, for all kernels
dkms-uninstall:
	$(Q)[ -n "$(DESTDIR)" ] || ! dkms status dune/$(VERSION) | grep -q . || \
		dkms remove dune/$(VERSION) --all
	$(Q)rm -rf $(DESTDIR)$(DKMS_TREE)

## sparse		sparse over the module; silent when all is well
sparse:
	+$(Q)$(call kbuild,$(B)/kmod-sparse,$(VM_KERNEL_BUILD),C=2 CF="-Wno-unknown-attribute" modules) 2>&1 | \
		grep -v 'vmlinux$$' | { ! grep . ; }

# From nothing, for tests/module, which looks at what is said meanwhile
.PHONY: kmod-silent check-module
kmod-silent:
	+$(Q)$(call kbuild,$(B)/kmod-silent,$(VM_KERNEL_BUILD),modules)

## check-module	sizes of the module's sources; compiler, objtool, modpost, sparse and checkpatch are silent
check-module:
	@MAKE="$(MAKE)" tests/module $(B)

# ---- tests: unit, abi, fuzz ----
.PHONY: check-unit unit-programs
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_LIBS := -lcheck -lsubunit -lrt -lpthread -lm $(DUNED_LIBS)

# duned without its main and its device, to link parts of it into tests
$(B)/tests/unit/libduned.a: $(filter-out %/main.o %/device.o,$(DUNED_OBJS)) $(PROTO_OBJS)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(B)/tests/unit/libdunectl.a: $(filter-out %/main.o,$(call objs,dunectl))
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# duned with a device made of paper: the service's own behaviour, without the module
FAKE_OBJS := $(B)/tests/unit/fake_device.o $(B)/tests/unit/fake_table.o
$(B)/tests/unit/duned-fake: $(B)/duned/main.o $(FAKE_OBJS) $(B)/tests/unit/libduned.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DUNED_LIBS)

# the same contexts in a process of their own
$(B)/tests/unit/fake-module: $(B)/tests/unit/fake_module.o $(B)/tests/unit/fake_table.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(UNIT_TESTS): %: %.o $(B)/tests/unit/libdunectl.a $(B)/tests/unit/libduned.a $(B)/libdune.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(UNIT_LIBS)

# The ledger is tested against the device made of paper.
$(B)/tests/unit/test_ledger: $(FAKE_OBJS)

# The module's choice of VMCS controls, with the VMX constants of the installed kernel headers
KERNEL_COMMON = $(patsubst %-cloud-amd64,%-common,$(VM_KERNEL_BUILD))
$(B)/tests/unit/kmod/controls.o $(B)/tests/unit/test_controls.o: CPPFLAGS := \
	-Itests/unit/kernel $(CPPFLAGS) -isystem $(KERNEL_COMMON)
$(B)/tests/unit/kmod/controls.o: kmod/vmx/controls.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-field-initializers -MMD -MP -c -o $@ $<
$(B)/tests/unit/test_controls: $(B)/tests/unit/kmod/controls.o

# What fails, or lasts, on purpose: see tests/unit/*_shim.c
UNIT_SHIMS := $(patsubst %,$(B)/tests/unit/%_shim.so,clock fail gate)
$(B)/tests/unit/fail_shim.so: tests/unit/fail_control.h
$(UNIT_SHIMS): $(B)/%.so: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -fPIC -shared -o $@ $<

unit-programs: $(UNIT_TESTS) $(UNIT_SHIMS) $(B)/tests/unit/duned-fake $(B)/tests/unit/fake-module $(B)/duned/duned $(B)/dunectl/dunectl exporter

## check-unit	unit tests on this host, SAN=1 for sanitizers
check-unit: unit-programs
	@B=$(B) tests/unit/run $(UNIT_TESTS)


.PHONY: check-abi
## check-abi	headers, includes, exported symbols, interface definitions: what the parts promise
check-abi: libdune
	@tests/abi/run $(B)

.PHONY: fuzz
FUZZ_SECONDS ?= 20
CLANG ?= clang
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_RUNTIME = $(wildcard $(shell $(CLANG) -print-resource-dir 2>/dev/null)/lib/linux/libclang_rt.fuzzer-*.a)
FUZZ_CFLAGS := -std=gnu11 -O2 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined -fsanitize-address-use-after-return=never

# The service without its main, its device and its log (tests/fuzz/quiet.c), once for all fuzzers.
FUZZ_SOURCES := $(wildcard proto/*.c) \
	$(filter-out duned/main.c duned/device.c duned/log%.c,$(wildcard duned/*.c)) \
	tests/unit/fake_device.c tests/unit/fake_table.c \
	$(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c))
fuzz_objs = $(patsubst %.c,$(B)/fuzz/%.o,$(1))

$(B)/fuzz/%.o: %.c
	$(call say,FUZZ-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/fuzz/duned/interfaces.o: $(wildcard proto/*.varlink)
# They compare single characters, of which tracing tells nothing and takes a quarter of the time.
$(B)/fuzz/proto/json_%.o: FUZZ_CFLAGS += -fno-sanitize-coverage=trace-cmp

# From an archive: a fuzzer has in it what it calls, and libFuzzer looks at no other code's coverage.
FUZZ_EXPORTER := $(patsubst %,duned/exporter/%.c,address expose families history own sample shown trouble)
$(B)/fuzz/all.a: $(call fuzz_objs,$(FUZZ_SOURCES) $(wildcard libdune/client/*.c) $(FUZZ_EXPORTER)) Makefile
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

FUZZ_WRAP := -Wl,--wrap=getpwnam,--wrap=getgrnam
FUZZ_WRAP_fuzz_connection := -Wl,--wrap=recvmsg,--wrap=recv,--wrap=sendmsg,--wrap=close,--wrap=poll,--wrap=getsockopt,--wrap=setsockopt
$(FUZZERS): $(B)/tests/fuzz/%: $(B)/fuzz/tests/fuzz/%.o $(B)/fuzz/all.a
	$(call say,FUZZER,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -g -fsanitize=fuzzer,address,undefined $(FUZZ_WRAP) $(FUZZ_WRAP_$*) -o $@ $^ $(DUNED_LIBS)

## fuzz		libFuzzer on the parsers and methods, FUZZ_SECONDS each (20); needs clang
fuzz:
ifeq ($(FUZZ_RUNTIME),)
	@echo "fuzz: SKIP: clang's libFuzzer runtime is not installed (apt-get install clang)"
else
	@$(MAKE) --no-print-directory $(FUZZERS)
	@B=$(B) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZERS)
endif

# ---- tests: vm, demo, vm-shell, bench ----
.PHONY: vm-progs check-vm check-debug vm-shell bench demo
VM_PROGS := $(patsubst tests/vm/progs/%.c,$(B)/tests/vm/%,$(wildcard tests/vm/progs/*.c))

# Programs that run inside the machine, not on this host: static, one file each.
$(B)/tests/vm/%: tests/vm/progs/%.c
	$(call say,VMPROG,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -static -pthread -MMD -MP -MF $@.d \
		-o $@ $<

# Benchmarks run there too: one file each, libdune for those that enter Dune mode themselves.
BENCH_PROGS := $(patsubst tests/bench/%.c,$(B)/tests/vm/%,$(wildcard tests/bench/*.c))

$(B)/tests/vm/bench_%: tests/bench/bench_%.c $(B)/libdune.a
	$(call say,VMPROG,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -static -MMD -MP -MF $@.d \
		-o $@ $< $(B)/libdune.a $(LIBDUNE_LIBS)

vm-progs: $(VM_PROGS) $(BENCH_PROGS)

## check-vm	every case of tests/vm/cases.cfg in the emulated machine
check-vm: all
	@B=$(B) tests/vm/run

## check-debug	cases on a kernel with lockdep and KASAN (built once: 20 minutes); CASES="..."
DEBUG_DEPS := linux-source-6.1 flex bison bc libelf-dev libssl-dev
check-debug: user
	@$(MAKE) --no-print-directory deps DEPS="$(DEBUG_DEPS)"
	@B=$(B) tests/vm/debug-kernel
	$(call say,KBUILD,$(B)/kmod-debug/dune.ko)
	+$(Q)$(call kbuild,$(B)/kmod-debug,$$(B=$(B) tests/vm/debug-kernel --path)/build,modules)
	+$(Q)$(call setcap,$(B)/kmod-debug,$$(B=$(B) tests/vm/debug-kernel --path)/build)
	@B=$(B) tests/vm/run --kernel debug $(CASES)

.PHONY: check-soak
## check-soak	a million VM exits and EPT violations, 100,000 contexts, on one and two CPUs (two hours)
check-soak: all
	@B=$(B) tests/vm/run soak-long soak-long-smp

# For each of these kernels its own compiler builds dune.ko, and these cases run: the world switch, its
# traps, page tables, KVM beside it and the whole product, each once.
KERNEL_CASES ?= boot kaslr raw-hello raw-ioctl raw-guests raw-fork raw-kill ring0-traps shrink launch \
	suspend suspend-kvm kexec mitigations direct kvm-beside kvm-load raw-nmi load-refused
# Not $(wildcard): that does not see what amd64-headers installs.
AMD64_BUILD = $(shell ls -d /usr/src/linux-headers-*-amd64 2>/dev/null | \
	grep -v -e -cloud-amd64 -e -rt-amd64 | tail -n 1)
DEBIAN13 := tests/vm/debian13

.PHONY: check-kernels amd64-headers
amd64-headers:
	@[ -n "$(AMD64_BUILD)" ] || $(MAKE) --no-print-directory deps DEPS=linux-headers-amd64

## check-kernels	chosen cases on Debian's 6.1 cloud and -amd64 kernels and on Debian 13's; CASES="..."
check-kernels: all amd64-headers
	@$(DEBIAN13)
	$(call say,KBUILD,$(B)/kmod-amd64/dune.ko)
	+$(Q)$(call kbuild,$(B)/kmod-amd64,$(AMD64_BUILD),modules)
	+$(Q)$(call setcap,$(B)/kmod-amd64,$(AMD64_BUILD))
	$(call say,KBUILD,$(B)/kmod-debian13/dune.ko)
	+$(Q)$(call kbuild,$(B)/kmod-debian13,$$($(DEBIAN13) --headers),modules,$(DEBIAN13) --run)
	+$(Q)$(call setcap,$(B)/kmod-debian13,$$($(DEBIAN13) --headers),$(DEBIAN13) --run)
	@bad=; for kernel in cloud amd64 debian13; do echo "$$kernel:"; \
		B=$(B) tests/vm/run --kernel $$kernel $(or $(CASES),$(KERNEL_CASES)) || bad=1; \
	done; [ -z "$$bad" ]

## vm-shell	an interactive shell in the emulated machine, with everything in it
vm-shell: all
	@B=$(B) tests/vm/shell

## bench		what operations cost, in emulated instructions, next to Linux and KVM
bench: all
	@B=$(B) tests/bench/run

# The service next to others. systemd's sd-varlink is public API from Debian 13 on: its headers and libraries
# come from there (fetched once), the compiler is this host's.
SERVICE_BENCH := $(patsubst %,$(B)/tests/bench/service/%,load echo sdvarlink)
SDVARLINK_DEBS = tests/debs sd-varlink trixie libsystemd-dev libsystemd0 libc6

$(B)/tests/bench/service/%: tests/bench/service/%.c
	$(call say,BENCH,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -MMD -MP -MF $@.d -o $@ $< -lev

$(B)/tests/bench/service/sdvarlink: tests/bench/service/sdvarlink.c
	$(call say,BENCH,$<)
	@mkdir -p $(@D)
	$(Q)root=$$($(SDVARLINK_DEBS)) && $(CC) $(CPPFLAGS) -isystem $$root/usr/include -std=gnu11 -O2 -g \
		$(WARN) -Wno-missing-field-initializers $(WERROR) -o $@ $< \
		-L$$root/usr/lib/x86_64-linux-gnu -l:libsystemd.so.0 -Wl,--allow-shlib-undefined

.PHONY: bench-service
## bench-service	requests per second of the service, next to a raw echo and systemd's sd-varlink (root)
bench-service: $(SERVICE_BENCH) $(B)/tests/unit/duned-fake
	@B=$(B) SDVARLINK_LIBRARY=$$($(SDVARLINK_DEBS))/usr/lib/x86_64-linux-gnu tests/bench/service/run

## demo		real programs in Dune contexts, in the emulated machine
demo: deps
	@$(MAKE) --no-print-directory all
	@B=$(B) tests/vm/demo


# ---- tests: service ----
.PHONY: check-service
## check-service	the service under systemd, in Debian 12 and 13 roots (made once); CASES="..."
check-service: user $(B)/tests/unit/duned-fake $(B)/tests/unit/fake-module $(B)/tests/service/hold_contexts
	@B=$(B) MAKE="$(MAKE)" tests/service/run $(CASES)

# duned's engine with the certification's methods instead of its own
$(B)/tests/service/certification-server: $(B)/tests/service/certification/server.o $(FAKE_OBJS) \
		$(B)/tests/unit/libduned.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=methods_answer -o $@ $^ $(DUNED_LIBS)

.PHONY: check-certification
## check-certification	Varlink's certification clients, in Go and Python, against the service's engine
check-certification: $(B)/tests/service/certification-server
	@B=$(B) tests/service/certification/run

CRASH_ROUNDS ?= 1000
.PHONY: check-crash
## check-crash	SIGKILL of the service at random points under load, CRASH_ROUNDS times (1000); root
check-crash: $(B)/tests/unit/duned-fake $(B)/tests/unit/fake-module
	@B=$(B) tests/service/crash/storm --rounds $(CRASH_ROUNDS)

.PHONY: check-exporter
## check-exporter	alert rules, dashboard, Prometheus and the page in Chromium; CASES="rules prometheus page"
check-exporter: exporter $(B)/tests/unit/duned-fake $(B)/tests/service/exporter/demo_history
	@B=$(B) tests/service/exporter/run $(CASES)

# A tenant in a container, for tests/service/containers
$(B)/tests/service/%: tests/service/progs/%.c $(B)/libdune.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -static -MMD -MP -MF $@.d \
		-o $@ $< $(B)/libdune.a $(LIBDUNE_LIBS)

.PHONY: check-containers
## check-containers	the CDI specification, the Kubernetes manifests, and podman with the device
check-containers: user $(B)/tests/unit/duned-fake $(B)/tests/service/hold_contexts
	@B=$(B) tests/service/containers

## check		all tests: check-style, -module, -unit, -abi, -exporter, -service, -containers, -packages,
##		-certification, -crash, -vm
.PHONY: check
check:
	@MAKE="$(MAKE)" tests/check $(B) check-style check-module check-unit check-abi check-exporter check-service \
		check-containers check-packages check-certification check-crash check-vm

# ---- deps, install, style, clean ----
# Debian 12 packages: compilers and libraries; the emulated machine and its kernel; Debian programs that
# run in it as guests; what `make style` uses.
DEPS := gcc g++ libc6-dev make pkg-config libsystemd-dev libjson-c-dev libev-dev \
	libmicrohttpd-dev check \
	linux-headers-cloud-amd64 kmod bochs bochs-term bochsbios vgabios nasm cpio lz4 zstd xz-utils \
	python3 busybox-static gawk sqlite3 strace file coreutils util-linux bsdutils \
	clang-format sparse shellcheck mmdebstrap systemd-container procps debian-archive-keyring \
	dpkg-dev debhelper dh-dkms lintian python3-yaml dbus-daemon systemd udev

.PHONY: deps
## deps		install the Debian packages that are missing, with apt-get (and sudo if need be)
deps:
	@missing=$$(dpkg-query -W -f='$${db:Status-Status} $${Package}\n' $(DEPS) 2>/dev/null | \
		awk -v all="$(DEPS)" '$$1 == "installed" { have[$$2] = 1 } \
		END { n = split(all, p, " "); for (i = 1; i <= n; i++) if (!(p[i] in have)) print p[i] }'); \
	[ -n "$$missing" ] || exit 0; \
	as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	echo "  deps     installing" $$missing; \
	start=$$(date +%s); \
	$$as_root apt-get -qq update && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install \
		--no-install-recommends $$missing >/dev/null && \
	echo "  deps     done: $$(($$(date +%s) - start)) s"

# What `make install` puts where: mode, source, place; `make uninstall` takes the same list, but leaves
# the configuration.
BINDIR := $(PREFIX)/bin
INCLUDEDIR := $(PREFIX)/include/dune
DATADIR := $(PREFIX)/share
PUBLIC_HEADERS := $(filter-out %/dune_abi.h,$(wildcard libdune/include/dune/*.h))
define newline


endef

# install_all(mode, files, folder)
install_all = $(foreach f,$(2),$(1) $(f) $(3)/$(notdir $(f))$(newline))
define INSTALL_LIST
755 $(B)/dunectl/dunectl $(BINDIR)/dunectl
755 $(B)/duned/duned $(LIBEXECDIR)/duned
755 $(B)/dune-exec $(LIBEXECDIR)/dune-exec
755 $(B)/duned/exporter/dune-exporter $(LIBEXECDIR)/dune-exporter
644 duned/exporter/dune.rules.yml $(DATADIR)/dune/prometheus/dune.rules.yml
644 duned/exporter/dashboard.json $(DATADIR)/dune/grafana/dune.json
644 $(B)/libdune.so.1 $(LIBDIR)/libdune.so.1
644 $(B)/libdune.a $(LIBDIR)/libdune.a
$(call install_all,644,$(PUBLIC_HEADERS),$(INCLUDEDIR))
644 proto/dune_abi.h $(INCLUDEDIR)/dune_abi.h
644 $(B)/libdune/dune.pc $(LIBDIR)/pkgconfig/dune.pc
$(call install_all,644,$(wildcard proto/*.varlink),$(DATADIR)/dune)
$(call install_all,644,$(wildcard dunectl/*.1),$(DATADIR)/man/man1)
$(call install_all,644,$(wildcard kmod/*.4),$(DATADIR)/man/man4)
$(call install_all,644,$(wildcard duned/*.5),$(DATADIR)/man/man5)
$(call install_all,644,$(wildcard duned/*.8 duned/exporter/*.8 libdune/exec/*.8),$(DATADIR)/man/man8)
644 dunectl/completion/dunectl.bash $(DATADIR)/bash-completion/completions/dunectl
644 $(B)/systemd/duned.service $(UNITDIR)/duned.service
644 $(B)/systemd/dune-exporter.service $(UNITDIR)/dune-exporter.service
$(call install_all,644,$(wildcard systemd/*.socket systemd/*.slice),$(UNITDIR))
644 systemd/dune.slice $(patsubst %/system,%/user,$(UNITDIR))/dune.slice
644 systemd/dune.catalog $(PREFIX)/lib/systemd/catalog/dune.catalog
644 systemd/dune.sysusers $(PREFIX)/lib/sysusers.d/dune.conf
644 systemd/dune.tmpfiles $(PREFIX)/lib/tmpfiles.d/dune.conf
644 systemd/dune.modules-load $(PREFIX)/lib/modules-load.d/dune.conf
644 systemd/60-dune.rules $(UDEVDIR)/rules.d/60-dune.rules
644 systemd/io.dune.manager.policy $(DATADIR)/polkit-1/actions/io.dune.manager.policy
644 systemd/containers/dune-containers.7 $(DATADIR)/man/man7/dune-containers.7
644 systemd/containers/dune.io-context.json $(SYSCONFDIR)/cdi/dune.io-context.json
$(call install_all,644,$(wildcard systemd/containers/*.yaml),$(DATADIR)/dune/kubernetes)
endef
CONFIG := $(SYSCONFDIR)/dune/duned.conf

$(B)/systemd/%: systemd/% $(B)/paths
	@mkdir -p $(@D)
	$(Q)sed 's,@LIBEXECDIR@,$(LIBEXECDIR),g; s,@BINDIR@,$(BINDIR),g' $< >$@

$(B)/libdune/dune.pc: libdune/dune.pc.in $(B)/paths
	@mkdir -p $(@D)
	$(Q)sed 's,@PREFIX@,$(PREFIX),g; s,@LIBDIR@,$(LIBDIR),g; s,@VERSION@,$(VERSION),g' $< >$@

# Changes when the paths do, so that what has them inside is built anew.
PATHS := $(VERSION) $(PREFIX) $(LIBDIR) $(LIBEXECDIR) $(SYSCONFDIR)
.PHONY: force
$(B)/paths: force
	@mkdir -p $(@D)
	@echo '$(PATHS)' | cmp -s - $@ || echo '$(PATHS)' >$@
$(call objs,dunectl) $(call objs,duned) $(EXPORTER_OBJS): $(B)/paths

.PHONY: install uninstall style
install uninstall: export INSTALL_LIST := $(INSTALL_LIST)
## install		everything but the module, below DESTDIR; PREFIX=/usr (the module: modules_install)
install: user $(B)/systemd/duned.service $(B)/systemd/dune-exporter.service $(B)/libdune/dune.pc
	@echo "$$INSTALL_LIST" | while read -r mode source place; do \
		[ -n "$$mode" ] || continue; \
		install -D -m "$$mode" "$$source" "$(DESTDIR)$$place" || exit 1; \
	done
	@ln -sf libdune.so.1 $(DESTDIR)$(LIBDIR)/libdune.so
	@[ -e $(DESTDIR)$(CONFIG) ] || install -D -m 644 systemd/duned.conf $(DESTDIR)$(CONFIG)
	@[ -n "$(DESTDIR)" ] || ldconfig
	@echo "  installed below $(DESTDIR)$(PREFIX); next, as root: systemd-sysusers &&" \
		"systemd-tmpfiles --create && udevadm control --reload && systemctl daemon-reload &&" \
		"journalctl --update-catalog && systemctl enable --now duned.socket duned-admin.socket;" \
		"dunectl doctor tells what else is missing"

## uninstall	remove what install put there, except the configuration
uninstall:
	@echo "$$INSTALL_LIST" | while read -r mode source place; do \
		[ -n "$$mode" ] || continue; \
		rm -f "$(DESTDIR)$$place" || exit 1; \
	done
	@rm -f $(DESTDIR)$(LIBDIR)/libdune.so
	@rmdir $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(INCLUDEDIR) \
		$(addprefix $(DESTDIR)$(DATADIR)/dune,/prometheus /grafana /kubernetes) $(DESTDIR)$(DATADIR)/dune 2>/dev/null || true
	@[ -n "$(DESTDIR)" ] || ldconfig

# ---- packages ----
.PHONY: deb
## deb		Debian packages into build/deb, without network, the same bytes for the same commit; lintian
deb:
	$(call say,DEB,$(B)/deb)
	$(Q)systemd/deb $(B)/deb
	@command -v lintian >/dev/null || { echo "deb: apt-get install lintian" >&2; exit 1; }
	$(Q)lintian --allow-root --tag-display-limit 0 --display-info --fail-on error,warning,info \
		$(B)/deb/dune_$(VERSION)_amd64.changes
	@ls $(B)/deb/*.deb


.PHONY: check-packages
## check-packages	the packages: built twice, and installed, upgraded, removed, purged in Debian 12 and 13
check-packages:
	@B=$(B) MAKE="$(MAKE)" tests/service/packages $(CASES)

# clang-format decides on lines and indentation; how columns inside a line are aligned is left to the
# writer, so runs of blanks count as one. Shell scripts pass shellcheck.
STYLE_C = $(shell git ls-files '*.c' '*.h')
STYLE_SH = $(shell git ls-files '*.sh' '*.bash' .ci/run tests/service/run tests/service/root)
STYLE_NORM := sed -E 's/([^[:blank:]])[[:blank:]]+/\1 /g; s/[[:blank:]]+$$//'
## style		check the format of C files with clang-format, scripts with shellcheck
style:
	@mkdir -p $(B); bad=0; for f in $(STYLE_C); do \
		clang-format --style=file $$f | $(STYLE_NORM) >$(B)/style.want && \
		$(STYLE_NORM) <$$f | diff -u --label $$f --label "$$f, formatted" - $(B)/style.want || \
		bad=$$((bad + 1)); \
	done; rm -f $(B)/style.want; \
	[ $$bad = 0 ] || { echo "  style    $$bad files are not formatted: clang-format -i"; exit 1; }
	@$(if $(STYLE_SH),shellcheck -S warning $(STYLE_SH))

## check-style	`make style`, with the number of files
.PHONY: check-style
check-style: style
	@echo "style: $(words $(STYLE_C) $(STYLE_SH)) passed, 0 failed, 0 skipped"

.PHONY: clean
clean:
	rm -rf $(B)
