#!/usr/bin/env python3
"""Checks that the modules of a crate use what lies below them only, and none uses itself by way of others.

A room is a folder, or a file, of a crate's src/. The table in arrows.toml says which rooms each may use.
An arrow is a path such as crate::message::Parts, super::error or a `use` of a child. What a module re-exports
by `pub use` is a name for what lies elsewhere: no arrow of its own, and one that uses it leads there.
A table's `circles` are arrows inside a room that make circles today: no others may, and one that is gone
has to leave the list.
Tests and comments are left out.

    tests/arrows.py [TABLE]
"""

import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What follows `use`, or stands in the code: names, and lists of them in braces.
END = r"(?:\w+::)*(?:\w+|\{(?:[^{}]|\{[^{}]*\})*\})"
PATH = rf"(?<![\w:$])((?:crate|super|self)::{END})"
USE = rf"^[ \t]*use ({END})"
PUBLIC = r"\bpub(?:\([^)]*\))?"


def code(text):
    """Returns the text without comments, texts and tests, each line in its place."""
    text = re.sub(r"\n#\[cfg\(test\)\]\n(?:#.*\n)*mod \w+ \{\n.*?\n\}\n", blank, text + "\n", flags=re.S)
    return re.sub(PUBLIC + r" use [^;]*;", blank, comments(text))


def comments(text):
    """Returns the text without comments, texts and characters."""
    character = r"'(?:\\[^\n]{1,8}?|[^\\'\n])'"
    string = r'\br(#+)".*?"\1|"(?:\\.|[^"\\])*"'
    return re.sub(rf"//[^\n]*|{character}|{string}", blank, text, flags=re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def modules(source):
    """Returns the path of each module, as a tuple of names, with its file. Tests are none."""
    found = {}
    for file in sorted(source.rglob("*.rs")):
        path = file.relative_to(source).with_suffix("").parts
        path = path[:-1] if path[-1] == "mod" else path
        if path[-1:] not in (("tests",), ("lib",), ("main",)) and path[:1] != ("bin",):
            found[path] = file
    return found


def spread(path):
    """Returns the paths in a path that may end in a list: a::{b, c::d} are a::b and a::c::d."""
    head, brace, inner = path.partition("{")
    if not brace:
        return [path.strip()]
    parts, depth = [""], 0
    for letter in inner[: inner.rindex("}")]:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [head.strip() + rest for part in parts if part.strip() for rest in spread(part)]


class Crate:
    """The modules of a crate, and what each of them names that lies in another one."""

    def __init__(self, source):
        self.files = modules(source)
        self.named = {module: {} for module in self.files}
        for module, file in self.files.items():
            for uses in re.findall(PUBLIC + r" use ([^;]*);", comments(file.read_text())):
                for path in spread(re.sub(r"\s+", "", uses)):
                    self.named[module][path.split("::")[-1]] = path.split("::")

    def absolute(self, module, names):
        """Returns a path from the root of the crate; none if it leads to another crate."""
        if names[0] == "crate":
            return names[1:]
        base = module
        while names[:1] in (["super"], ["self"]):
            base = base[:-1] if names[0] == "super" else base
            names = names[1:]
        is_child = base == module and names and (*module, names[0]) in self.files
        return [*base, *names] if base != module or is_child else None

    def module_of(self, names):
        """Returns the module that a path leads to, also through re-exports of other modules."""
        end = len(names)
        while end and tuple(names[:end]) not in self.files:
            end -= 1
        module, rest = tuple(names[:end]), names[end:]
        if rest and (named := self.named.get(module, {}).get(rest[0])):
            if elsewhere := self.absolute(module, named):
                return self.module_of(elsewhere)
        return module

    def arrows(self, module):
        """Yields (line, module used) for each path in a module that leads to another one."""
        text = code(self.files[module].read_text())
        for match in [*re.finditer(PATH, text), *re.finditer(USE, text, flags=re.M)]:
            line = text.count("\n", 0, match.start(1)) + 1
            for path in spread(match[1]):
                names = self.absolute(module, path.split("::"))
                if names and (used := self.module_of(names)) != module:
                    yield line, used


def circle(graph):
    """Returns the modules of one circle, each of which uses the next; nothing if there is none."""
    done = set()

    def visit(module, way):
        if module in way:
            return way[way.index(module):]
        if module not in done:
            for used in graph[module]:
                if found := visit(used, [*way, module]):
                    return found
            done.add(module)
        return None

    return next((found for module in graph if (found := visit(module, []))), None)


def check(folder, table):
    """Yields what is wrong in a crate."""
    crate = Crate(ROOT / folder / "src")
    table = dict(table)
    known = {tuple(arrow.split(" -> ")) for arrow in table.pop("circles", [])}
    graph = {module: {} for module in crate.files}
    for module, file in crate.files.items():
        name = file.relative_to(ROOT)
        if module[0] not in table:
            yield f"{name}: the room '{module[0]}' is not in the table"
            continue
        for line, used in crate.arrows(module):
            if not used:
                yield f"{name}:{line}: name the module, not what lib.rs re-exports"
                continue
            graph[module].setdefault(used, f"{name}:{line}")
            if used[0] != module[0] and used[0] not in table[module[0]]:
                yield f"{name}:{line}: '{module[0]}' may not use '{used[0]}'"
    rooms = {room: {used: None for used in below} for room, below in table.items()}
    if unknown := sorted({used for below in table.values() for used in below} - rooms.keys()):
        yield f"the table of '{folder}' names no rooms: {', '.join(unknown)}"
    elif found := circle(rooms):
        yield f"the table of '{folder}' has a circle: {' -> '.join(found)}"
    for user, used in sorted(known):
        if not graph.get(tuple(user.split("::")), {}).pop(tuple(used.split("::")), None):
            yield f"the table of '{folder}' has an arrow that is gone: {user} -> {used}"
    if found := circle(graph):
        yield f"modules of '{folder}' use each other in a circle:"
        for module, used in zip(found, [*found[1:], found[0]]):
            yield f"  {graph[module][used]}: {'::'.join(module)} -> {'::'.join(used)}"


def main():
    file = pathlib.Path(sys.argv[1]) if sys.argv[1:] else ROOT / "tests/arrows.toml"
    tables = tomllib.loads(file.read_text())
    wrong = [problem for folder, table in tables.items() for problem in check(folder, table)]
    for problem in wrong:
        print(problem, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
