/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an operator wants to see at 0: refusals and errors, of the module and of the service, as the page
 * lists them. One table.
 */
#ifndef DUNED_EXPORTER_TROUBLE_H
#define DUNED_EXPORTER_TROUBLE_H

#include <stddef.h>
#include <stdint.h>

#include "duned/exporter/sample.h"

#define TROUBLE_MAX 16

extern const size_t nr_troubles;

const char *trouble_name(unsigned int trouble);
uint64_t trouble_value(const struct sample *sample, size_t trouble);

#endif
