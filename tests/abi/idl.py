# SPDX-License-Identifier: LGPL-2.1-or-later
"""A strict parser of Varlink's interface definitions, as strict as the strictest client we know: no
trailing commas, no `any`, no `??`, no duplicate fields or members, only types that exist, names as
the specification has them."""
import re

TOKEN = re.compile(r"[ \t\r\n]+|#[^\n]*|->|\[\]|\[string\]|[():,?]|[A-Za-z0-9_.-]+")
INTERFACE = re.compile(r"[A-Za-z](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)+")
MEMBER = re.compile(r"[A-Z][A-Za-z0-9]*")
FIELD = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")
BASIC = {"bool", "int", "float", "string", "object"}


class IdlError(Exception):
    """What is wrong and in which line."""


class Type:
    """A struct (fields), an enum (names in order) or a reference, with a prefix of ?, [], [string]."""

    def __init__(self, prefix="", name=None, fields=None, enum=None):
        self.prefix, self.name, self.fields, self.enum = prefix, name, fields, enum


class Interface:
    def __init__(self):
        self.name = None
        self.types, self.methods, self.errors = {}, {}, {}
        self.comments = {}

    def members(self):
        return (("type", self.types), ("method", self.methods), ("error", self.errors))

    def documented(self, member):
        return bool(self.comments.get(member))


class Parser:
    def __init__(self, text):
        self.tokens, self.at, self.interface = [], 0, Interface()
        position, line, comment = 0, 1, ""
        while position < len(text):
            match = TOKEN.match(text, position)
            if not match:
                raise IdlError(f"line {line}: unexpected {text[position]!r}")
            token = match.group()
            if token[0] == "#":
                comment += token[1:].strip() + " "
            elif token[0] in " \t\r\n":
                # An empty line parts a comment from what follows
                if token.count("\n") > 1:
                    comment = ""
            else:
                self.tokens.append((token, line, comment.strip()))
                comment = ""
            line += token.count("\n")
            position = match.end()
        self.tokens.append(("", line, ""))

    def peek(self):
        return self.tokens[self.at][0]

    def comment(self):
        return self.tokens[self.at][2]

    def fail(self, what):
        token, line, _ = self.tokens[self.at]
        raise IdlError(f"line {line}: {what} instead of {token or 'the end'!r}")

    def take(self, expected=None):
        token = self.peek()
        if expected is not None and token != expected:
            self.fail(f"{expected!r} expected")
        self.at += 1
        return token

    def name(self, pattern, what):
        if not pattern.fullmatch(self.peek()):
            self.fail(f"{what} expected")
        return self.take()

    def type(self, where):
        prefix = ""
        if self.peek() == "?":
            prefix += self.take()
            if self.peek() == "?":
                self.fail("one ? is enough; a type expected")
        if self.peek() in ("[]", "[string]"):
            prefix += self.take()
            inner = self.type(where)
            inner.prefix = prefix + inner.prefix
            return inner
        if self.peek() == "(":
            return self.struct(where)
        name = self.take()
        if name not in BASIC and not MEMBER.fullmatch(name):
            self.at -= 1
            self.fail("a type expected")
        return Type(prefix, name)

    def struct(self, where):
        """A struct, or an enum where a bare name is followed by no colon."""
        self.take("(")
        fields, enum = {}, []
        while self.peek() != ")":
            if fields or enum:
                self.take(",")
            comment = self.comment()
            name = self.name(FIELD, "a field's name")
            if name in fields or name in enum:
                self.fail(f"{name} is there twice; a new name expected")
            if self.peek() == ":":
                if enum:
                    self.fail("enum and struct in one")
                self.take(":")
                self.interface.comments[f"{where}.{name}"] = comment
                fields[name] = self.type(f"{where}.{name}")
            else:
                if fields:
                    self.fail("':' expected")
                enum.append(name)
        self.take(")")
        return Type(fields=None if enum else fields, enum=enum or None)

    def member(self):
        comment = self.comment()
        keyword = self.take()
        table = {"type": self.interface.types, "method": self.interface.methods,
                 "error": self.interface.errors}.get(keyword)
        if table is None:
            self.at -= 1
            self.fail("type, method or error expected")
        name = self.name(MEMBER, "a member's name")
        if any(name in members for _, members in self.interface.members()):
            self.fail(f"{name} is defined twice; another name expected")
        self.interface.comments[name] = comment
        table[name] = self.struct(name)
        if keyword != "type" and table[name].enum:
            self.fail("a struct expected")
        if keyword == "method":
            self.take("->")
            table[name] = (table[name], self.struct(name))
            if table[name][1].enum:
                self.fail("a struct expected")

    def parse(self):
        self.interface.comments["interface"] = self.comment()
        self.take("interface")
        self.interface.name = self.name(INTERFACE, "an interface's name")
        while self.peek():
            self.member()
        for _, members in self.interface.members():
            for value in members.values():
                for part in value if isinstance(value, tuple) else (value,):
                    self.resolve(part)
        return self.interface

    def resolve(self, part):
        if part.name and part.name not in BASIC and part.name not in self.interface.types:
            raise IdlError(f"unknown type {part.name}")
        for field in (part.fields or {}).values():
            self.resolve(field)


def parse(text):
    return Parser(text).parse()
