"""Which package may import which, read from the source: pages → dashboard → metrics ← ingest, wired by buyerview.py and
commands/ alone.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"metrics", "ingest", "dashboard", "pages", "sample_data", "commands", "buyerview"}
MAY_IMPORT = {
    "metrics": set(),
    "ingest": {"metrics"},
    "dashboard": {"metrics"},
    "pages": {"dashboard"},
    "sample_data": set(),
}
"""What each package may import of ours, beside itself."""
ONLY_IN = {
    "great_expectations": {"ingest/validate/expectations.py"},
    "streamlit": {"dashboard", "pages"},
    "altair": {"dashboard"},
    "typer": {"buyerview.py", "commands"},
    "rich": {"commands"},
}
"""Where a library may be imported at all."""
NEVER_IN = {"pages": {"sqlalchemy", "pandas", "duckdb"}, "metrics": {"pydantic", "typer"}}


def imports(source: str) -> Iterator[str]:
    """Top-level names a module imports, imports inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def faults(path: str, source: str) -> list[str]:
    """Every import of a file that the table does not allow."""
    package = path.split("/")[0]
    found = []
    for name in imports(source):
        if name in OURS and name != package and name not in MAY_IMPORT.get(package, OURS):
            found.append(f"{path} imports {name}")
        allowed = ONLY_IN.get(name)
        if allowed is not None and path not in allowed and package not in allowed:
            found.append(f"{path} imports {name}")
        if name in NEVER_IN.get(package, set()):
            found.append(f"{path} imports {name}")
    return found


def test_nothing_imports_what_it_may_not() -> None:
    found = []
    for package in sorted(OURS - {"buyerview"}):
        for file in sorted((ROOT / package).rglob("*.py")):
            found += faults(file.relative_to(ROOT).as_posix(), file.read_text())
    assert found == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("metrics/facts/orders/__init__.py", "import streamlit"),
        ("metrics/facts/orders/__init__.py", "from ingest.load.load import load"),
        ("dashboard/queries.py", "def late():\n    from ingest import pipeline"),
        ("pages/scorecard.py", "import pandas as pd"),
        ("pages/scorecard.py", "from metrics.queries.answer import answer"),
        ("ingest/load/load.py", "from great_expectations import core"),
        ("ingest/load/load.py", "import buyerview"),
    ],
)
def test_a_planted_wrong_import_is_found(path: str, source: str) -> None:
    assert faults(path, source)


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for package in OURS - {"buyerview"}
        for file in (ROOT / package).rglob("*.py")
    }
    needs = {name: _modules(file.read_text(), files) - {name} for name, file in files.items()}
    done: set[str] = set()
    while ready := {name for name, wanted in needs.items() if name not in done and wanted <= done}:
        done |= ready
    assert set(files) - done == set()


def _modules(source: str, known: dict[str, Path]) -> set[str]:
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names} | {node.module}
    packages = {"metrics", "ingest", "dashboard", "sample_data"}  # their __init__ is no module of their parts
    return (found & set(known)) - packages


def test_the_dashboard_starts_without_the_slow_validation_library() -> None:
    import subprocess

    code = "import dashboard.server.start, metrics.queries.answer, buyerview, sys; sys.exit('great_expectations' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
