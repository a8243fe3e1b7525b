# SPDX-License-Identifier: LGPL-2.1-or-later
"""The IDL parser itself: what it must take and what it must refuse. Run by tests/abi/run."""
import idl

HEAD = "interface a.b\n"

GOOD = [
    HEAD,
    HEAD + "method M() -> ()",
    HEAD + "type T (a: int, b: ?string, c: []T, d: [string]?bool, e: ?[]int, f: (x, y))",
    HEAD + "type T (g: (h: float, i: ?(j: int)))",
    HEAD + "error E ()\nerror F (a_b: object)",
    "# text\ninterface a-b.c9.d # more\nmethod M(a: T) -> (b: ?(x, y))\ntype T (x, y)",
]

BAD = [
    "", "interface a", "interface a.", "interface a.b.", "method M() -> ()",
    HEAD + "method m() -> ()",
    HEAD + "method M()", HEAD + "method M() -> (x, y)", HEAD + "method M(x, y) -> ()",
    HEAD + "type T (a: int,)", HEAD + "type T (a: int b: int)", HEAD + "type T (a: ??int)",
    HEAD + "type T (a: any)", HEAD + "type T (a: int, a: int)", HEAD + "type T (x, x)",
    HEAD + "type T (a: int, b)", HEAD + "type T (a, b: int)", HEAD + "type T (a__b: int)",
    HEAD + "type T (_a: int)", HEAD + "type T (a_: int)", HEAD + "type T (9a: int)",
    HEAD + "type T (a: U)", HEAD + "method M(a: U) -> ()", HEAD + "method M() -> (a: []U)",
    HEAD + "type T (a: int)\nerror T ()", HEAD + "type T (a: int", HEAD + "type T a: int)",
    HEAD + "error E (x, y)", HEAD + "type T (a: [int]int)", HEAD + "type T (a: Int)",
    HEAD + "type T (a:)",
    HEAD + "type T (a: int);", HEAD + "interface c.d", HEAD + "type T_U ()", HEAD + "union T ()",
]


def run(check):
    for text in GOOD:
        try:
            idl.parse(text)
            check(True, "")
        except idl.IdlError as error:
            check(False, f"the IDL parser refuses {text!r}: {error}")
    for text in BAD:
        try:
            idl.parse(text)
            check(False, f"the IDL parser takes {text!r}")
        except idl.IdlError:
            check(True, "")
    comments = idl.parse("interface a.b\n# lost\n\n# one\n# two\ntype T (\n # f\n a: int)").comments
    check(comments["T"] == "one two" and comments["T.a"] == "f", "the IDL parser loses comments")
