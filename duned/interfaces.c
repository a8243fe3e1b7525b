// SPDX-License-Identifier: LGPL-2.1-or-later
/* Embeds the interface texts; see interfaces.h. */
#include "duned/interfaces.h"

#include "proto/methods.h"

#define EMBED(symbol, file)				\
	__asm__(".pushsection .rodata\n" #symbol ":\n" \
		".incbin \"" file "\"\n"		\
		".byte 0\n"				\
		".popsection\n");			\
	extern const char symbol[]

EMBED(interface_manager, "proto/io.dune.Manager.varlink");
EMBED(interface_service, "proto/org.varlink.service.varlink");

const struct interface interfaces[] = {
	{ DUNE_INTERFACE, interface_manager },
	{ VARLINK_SERVICE, interface_service },
};
const size_t nr_interfaces = sizeof(interfaces) / sizeof(interfaces[0]);
