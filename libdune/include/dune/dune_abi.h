/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands for proto/dune_abi.h inside the source tree; `make install` puts the real file in this place.
 */
#include "proto/dune_abi.h"
