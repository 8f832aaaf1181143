"""The steps of a run at which the tests kill it: collected from the sources, so that a new step is tested as soon as it
is written.
"""

import ast
import importlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def names(packages: Iterable[str | Path]) -> list[str]:
    """Every name given to `failpoint(...)` in the sources of these packages (names, or folders), sorted.

    Raises ValueError for a call whose name is not a literal. A name may stand at several places: branches of one step.
    """
    found: set[str] = set()
    for package in packages:
        folder = package if isinstance(package, Path) else Path(str(importlib.import_module(package).__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
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
