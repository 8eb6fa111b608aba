"""Which code of the project a file runs, and what that code does: what decides whether a run is computed again."""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

SRC = Path(__file__).resolve().parents[3]
PACKAGE = __name__.partition(".")[0]


def _modules(tree: ast.Module, module: str, is_package: bool) -> Iterator[str]:
    """Dotted names that a module imports, at once or in a function; `from a import b` may mean the module a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _locate(name: str) -> Path | None:
    path = SRC.joinpath(*name.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def closure(*roots: Path) -> tuple[Path, ...]:
    """The roots and every file of the package they import, directly or not, sorted.

    What is imported by a name that is computed (a backend) does not count: name it as a root.
    """
    found: set[Path] = set()
    waiting = [root.resolve() for root in roots]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        module = ""
        if path.is_relative_to(SRC):
            module = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        for name in _modules(_parse(path), module, path.name == "__init__.py"):
            parts = name.split(".")
            if parts[0] != PACKAGE:
                continue
            # importing a.b.c runs the packages a and a.b as well
            names = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
            waiting.extend(file for file in map(_locate, names) if file)
    return tuple(sorted(found))


@cache
def behind(*roots: Path) -> dict[str, str]:
    """What every file of `closure` does that does anything, by its path under src."""
    found = {path.relative_to(SRC).as_posix(): does(path) for path in closure(*roots)}
    return {name: digest for name, digest in found.items() if digest}


def backend(name: str) -> Path:
    """The root of a framework's code, which is loaded by name."""
    return SRC / PACKAGE / "backends" / name / "__init__.py"


def _bare(tree: ast.AST) -> ast.AST:
    """`tree` without docstrings and other strings that stand for themselves."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [
                one
                for one in body
                if not (
                    isinstance(one, ast.Expr)
                    and isinstance(one.value, ast.Constant)
                    and isinstance(one.value.value, str)
                )
            ]
    return tree


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@cache
def does(path: Path) -> str:
    """SHA-256 of what a file does: its syntax tree, which no comment, docstring or line break is part of; empty where
    it does nothing."""
    tree = _bare(_parse(path))
    return _digest(ast.dump(tree)) if tree.body else ""


@cache
def part_does(path: Path, table: str, key: str, also: tuple[str, ...] = ()) -> str:
    """SHA-256 of what a part of a file does: the entry `key` of its dict `table`, the definitions `also`, and every
    definition of the file that these lead to, directly or not."""
    defined: dict[str, ast.AST] = {}
    for node in _bare(_parse(path)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                defined |= {found.id: node for found in ast.walk(target) if isinstance(found, ast.Name)}
    entries = defined[table].value
    (entry,) = (value for name, value in zip(entries.keys, entries.values, strict=True) if name.value == key)
    reached, waiting = {table, *also}, [entry, *(defined[name] for name in also)]
    dumps = []
    while waiting:
        node = waiting.pop()
        dumps.append(ast.dump(node))
        for found in ast.walk(node):
            if isinstance(found, ast.Name) and found.id in defined and found.id not in reached:
                reached.add(found.id)
                waiting.append(defined[found.id])
    return _digest("\n".join(sorted(dumps)))
