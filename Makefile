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

# ---- module ----

# ---- tests: unit, abi, fuzz ----

# ---- tests: vm, demo, vm-shell, bench ----

# ---- deps, install, style, clean ----
.PHONY: clean
clean:
	rm -rf $(B)
