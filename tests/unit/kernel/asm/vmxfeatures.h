/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arch/x86/include/asm/vmxfeatures.h>
