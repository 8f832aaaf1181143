"""Failpoints of a run, collected from the sources. Tests stop the run at each of them."""

import ast
import importlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def names(packages: Iterable[str | Path]) -> list[str]:
    """Return every name in a call of `failpoint(...)` in these packages, sorted.

    Raises ValueError for a name that is not a literal. Several calls can have the same name, for branches of one step.
    """
    found: set[str] = set()
    for package in packages:
        folder = package if isinstance(package, Path) else Path(str(importlib.import_module(package).__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if "failpoint" not in text:
                continue  # parsing every module takes seconds, in each test process
            for node in ast.walk(ast.parse(text, str(path))):
                if isinstance(node, ast.Call) and _called(node) == "failpoint":
                    name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                    if not isinstance(name, str):
                        raise ValueError(
                            f"{path}:{node.lineno}: give failpoint() a literal name, so that the tests find it"
                        )
                    found.add(name)
    return sorted(found)


def _called(node: ast.Call) -> str | None:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else None
