# SPDX-License-Identifier: LGPL-2.1-or-later
# One Makefile for everything; `make help` lists the targets.

MAKEFLAGS += --no-builtin-rules
VERSION := 0.1.0
B ?= build
PREFIX ?= /usr
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/lib/dune
CC := gcc
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = @printf '  %-8s %s\n' $(1) $(2)

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wno-unused-parameter
WERROR := $(if $(CI),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer)
comma := ,
CPPFLAGS := -I. -Ilibdune/include -D_GNU_SOURCE -DDUNE_VERSION='"$(VERSION)"' \
	-DDUNE_LIBEXECDIR='"$(LIBEXECDIR)"' -DDUNE_SYSCONFDIR='"$(SYSCONFDIR)"'
CFLAGS := -std=gnu11 -O2 -g $(WARN) $(WERROR) $(SANFLAGS)

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
-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- userspace: libdune, duned, dunectl, dune-exec ----
.PHONY: duned
user: duned
duned: $(B)/duned/duned

PROTO_OBJS := $(B)/proto/json_gate.o $(B)/proto/varlink.o $(B)/proto/names.o
DUNED_OBJS = $(call objs,duned)
DUNED_LIBS := -lev -ljson-c -lsystemd
# proto/ is linked into programs and into libdune.so
CFLAGS_proto := -fPIC -fvisibility=hidden

$(B)/duned/duned: $(DUNED_OBJS) $(PROTO_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DUNED_LIBS)

# interfaces.c embeds the texts
$(B)/duned/interfaces.o: $(wildcard proto/*.varlink)


# ---- module ----

# ---- tests: unit, abi, fuzz ----

# ---- tests: vm, demo, vm-shell, bench ----
.PHONY: vm-progs check-vm vm-shell demo
VM_PROGS := $(patsubst tests/vm/progs/%.c,$(B)/tests/vm/%,$(wildcard tests/vm/progs/*.c))

# Programs that run inside the machine, not on this host: static, one file each.
$(B)/tests/vm/%: tests/vm/progs/%.c
	$(call say,VMPROG,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O2 -g $(WARN) $(WERROR) -static -pthread -MMD -MP -MF $@.d \
		-o $@ $<

vm-progs: $(VM_PROGS)

## check-vm	every case of tests/vm/cases.cfg in the emulated machine
check-vm: all vm-progs
	@B=$(B) tests/vm/run

## vm-shell	an interactive shell in the emulated machine, with everything in it
vm-shell: all vm-progs
	@B=$(B) tests/vm/shell

## demo		real programs in Dune contexts, in the emulated machine
demo: deps all vm-progs
	@B=$(B) tests/vm/demo


# ---- deps, install, style, clean ----
.PHONY: clean
clean:
	rm -rf $(B)
