#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts page.css and the scripts into page.html and writes the result as C, with the Content-Security-Policy
that allows exactly this style and this script.

Usage: duned/exporter/embed.py FOLDER >page_data.c; page.html, page.css and SCRIPTS are read there.
"""
import base64
import hashlib
import json
import sys
from pathlib import Path

SCRIPTS = ("page_basics.js", "page_chart.js", "page.js")
LINE = 90  # bytes of text in a line of C


def part(folder, name):
    """A file's text without the licence comment that begins it."""
    text = (folder / name).read_text(encoding="utf-8")
    first, rest = text.split("\n", 1)
    if "SPDX-License-Identifier" not in first:
        sys.exit(f"{name}: the first line names no licence")
    return rest


def source(text):
    """The hash of an inline element, as a policy names it: of every byte between the tags."""
    digest = hashlib.sha256(text.encode()).digest()
    return "'sha256-" + base64.b64encode(digest).decode() + "'"


def literal(text):
    data = text.encode()
    for start in range(0, len(data), LINE):
        yield '\t"' + "".join(escape(byte) for byte in data[start:start + LINE]) + '"'


def escape(byte):
    char = chr(byte)
    if char in '"\\':
        return "\\" + char
    if char == "\n":
        return "\\n"
    if char == "?":  # no trigraphs
        return "\\?"
    return char if 32 <= byte < 127 else f"\\{byte:03o}"


def main():
    folder = Path(sys.argv[1])
    style = "\n" + part(folder, "page.css")
    script = "\n" + "".join(part(folder, name) for name in SCRIPTS)
    html = part(folder, "page.html")
    for mark, text in (("/*STYLE*/", style), ("/*SCRIPT*/", script)):
        if html.count(mark) != 1:
            sys.exit(f"page.html: {mark} stands there {html.count(mark)} times, not once")
        if "</s" in text:
            sys.exit(f"{mark}: an end tag inside")
        html = html.replace(mark, text)
    policy = "; ".join((
        "default-src 'none'", f"style-src {source(style)}", f"script-src {source(script)}",
        "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
        "frame-ancestors 'none'"))
    etag = '"' + hashlib.sha256(html.encode()).hexdigest()[:32] + '"'
    print('#include "duned/exporter/page.h"\n\nconst char page_text[] =')
    print("\n".join(literal(html)) + ";")
    print("const size_t page_size = sizeof(page_text) - 1;")
    print(f"const char page_etag[] = {json.dumps(etag)};")
    print(f"const char page_policy[] = {json.dumps(policy)};")


if __name__ == "__main__":
    main()
