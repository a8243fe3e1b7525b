/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page at "/", as embed.py puts it together from page.html, page.css and the scripts.
 */
#ifndef DUNED_EXPORTER_PAGE_H
#define DUNED_EXPORTER_PAGE_H

#include <stddef.h>

extern const char page_text[];
extern const size_t page_size;
extern const char page_etag[]; /* changes with the text */
extern const char page_policy[]; /* Content-Security-Policy: its own style and script only */

#endif
