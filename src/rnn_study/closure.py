"""Which files of the project a file runs: what decides when a stage or a run is stale."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SRC = Path(__file__).resolve().parents[1]
PACKAGE = Path(__file__).resolve().parent.name


def _modules(tree: ast.Module, module: str, is_package: bool) -> Iterator[str]:
    """Dotted names that the top level of a module imports; `from a import b` may mean the module a.b."""
    for node in tree.body:
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


@cache
def closure(*roots: Path) -> tuple[Path, ...]:
    """The roots and every file of the package they import, directly or not, sorted.

    Imports inside functions are choices (a backend, by name) and do not count: name the choice as a root.
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
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name in _modules(tree, module, path.name == "__init__.py"):
            parts = name.split(".")
            if parts[0] != PACKAGE:
                continue
            # importing a.b.c runs the packages a and a.b as well
            names = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
            waiting.extend(file for file in map(_locate, names) if file)
    return tuple(sorted(found))
