/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method Totals: sums over all contexts and the service's own counters, for monitoring. */
#ifndef DUNED_TOTALS_H
#define DUNED_TOTALS_H

struct request;
struct answer;

int method_totals(struct request *request, struct answer *answer);

#endif
