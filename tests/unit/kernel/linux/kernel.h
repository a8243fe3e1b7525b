/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/types.h>
#include <stdio.h>
