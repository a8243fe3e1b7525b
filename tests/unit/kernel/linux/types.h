/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the pure files of the module take from the kernel's headers, for unit tests in user space: its
 * types here, its VMX constants from the installed kernel headers. No constant may be written here.
 */
#ifndef DUNE_TESTS_KERNEL_TYPES_H
#define DUNE_TESTS_KERNEL_TYPES_H

#include_next <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BIT(nr)		  (1ul << (nr))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define __packed	  __attribute__((packed))
#define __aligned(bytes)  __attribute__((aligned(bytes)))

#endif
