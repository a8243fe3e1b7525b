/* SPDX-License-Identifier: GPL-2.0-only */
/* Included before everything else: all messages of the module begin with its name. */
#undef pr_fmt
#define pr_fmt(fmt) "dune: " fmt
