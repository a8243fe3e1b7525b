# SPDX-License-Identifier: LGPL-2.1-or-later
"""The emulated machine: everything between a table of cases and a booted Debian kernel."""
