"""Import rules, read from the source: pages → dashboard → metrics ← ingest, levels inside packages, sections.

buyerview.py and commands/ wire the packages; nothing imports them.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
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
"""Our packages that each package may import, besides itself. Packages that are not listed may import all of them."""
ONLY_IN = {
    "great_expectations": ("ingest/validate/expectations.py",),
    "streamlit": ("dashboard", "pages"),
    "altair": ("dashboard/components", "dashboard/sections", "dashboard/server"),
    "duckdb": ("sample_data", "metrics/warehouse", "ingest/storage", "ingest/read", "ingest/validate"),
    "pyspark": ("metrics/warehouse",),
    "typer": ("buyerview.py", "commands"),
    "rich": ("commands",),
}
"""Files and folders that may import a library; no others may."""
NEVER_IN = {
    "pages": {"sqlalchemy", "pandas", "duckdb"},
    "metrics": {"pydantic", "typer"},
    "dashboard/exports": {"streamlit"},
    "dashboard/notifications": {"streamlit"},
    "dashboard/bring_data": {"streamlit"},
}
"""Libraries that a package or folder may not import."""
LEVELS = {
    "metrics": (
        ("redaction",),
        ("errors", "schema", "policy", "file_limits", "access"),
        ("sql", "warehouse"),
        ("facts", "model", "store"),
        ("measures",),
        ("queries",),
        ("lists", "rebuild"),
        ("targets", "provenance"),
        ("alerts", "edits"),
    ),
    "dashboard": (
        ("sign_in",),
        ("components", "queries", "exports"),
        ("frame", "notifications", "bring_data"),
        ("measure_page", "editing"),
        ("orders",),
        ("sections",),
        ("reports", "server"),
    ),
    "ingest": (
        ("storage", "errors"),
        ("mapping",),
        ("read",),
        ("inference",),
        ("systems",),
        ("validate",),
        ("quarantine",),
        ("load",),
        ("runs",),
        ("pipeline",),
        ("saved_edits", "filled_lake"),
    ),
}
"""Folders and modules of each package, the lowest level first. Each imports only from lower levels and from itself."""
ABOVE_LEVELS = {"dashboard/app.py": {"sign_in", "components", "queries", "frame"}}
"""Entry files beside the levels, and the only folders of their package that each imports."""
FRONTS = {"metrics/warehouse/__init__.py", "metrics/facts/orders/__init__.py", "sample_data/__init__.py"}
"""Packages whose `__init__.py` is an interface; every other one holds a docstring only."""
WITHOUT_SECTIONS = {"views_and_alerts"}
"""Pages made of the sections of two modules, none of which has the page's name."""


def imported_modules(source: str) -> Iterator[str]:
    """Yield the full names a module imports, imports inside functions included: `a.b.c` for `from a.b import c`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def faults(path: str, source: str) -> list[str]:
    """Return every import of a file that breaks the rules above."""
    package = path.split("/")[0]
    names = list(imported_modules(source))
    found = [*_level_faults(path, names), *_section_faults(path, names)]
    for name in {name.split(".")[0] for name in names}:
        if name in OURS and name != package and name not in MAY_IMPORT.get(package, OURS):
            found.append(f"{path} imports {name}")
        allowed = ONLY_IN.get(name)
        if allowed is not None and package in OURS and not any(_is_in(path, place) for place in allowed):
            found.append(f"{path} imports {name}")
        found += [
            f"{path} imports {name}" for place, banned in NEVER_IN.items() if _is_in(path, place) and name in banned
        ]
    return found


def _is_in(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _level_faults(path: str, names: Iterable[str]) -> list[str]:
    """Imports of a folder of the same or a higher level."""
    package, _, rest = path.partition("/")
    level = {name: number for number, members in enumerate(LEVELS.get(package, ())) for name in members}
    here = rest.split("/")[0].removesuffix(".py")
    parts = {name.split(".")[1] for name in names if name.startswith(f"{package}.")} - {here}
    if path in ABOVE_LEVELS:
        return [f"{path} imports {package}.{part}" for part in sorted(parts - ABOVE_LEVELS[path])]
    if here == "__init__" or not level:
        return []
    if here not in level:
        return [f"{path} has no level: add it to LEVELS"]
    return [
        f"{path} imports {package}.{part}, of a level not below its own"
        for part in sorted(parts)
        if level.get(part, 99) >= level[here]
    ]


def _section_faults(path: str, names: Iterable[str]) -> list[str]:
    """Imports of another section, unless its name begins with that of the importing module."""
    if not _is_in(path, "dashboard/sections"):
        return []
    here = Path(path).stem
    others = {name.split(".")[2] for name in names if name.startswith("dashboard.sections.")}
    return [f"{path} imports the section {other}" for other in sorted(others) if not other.startswith(here)]


def _is_docstring_only(source: str) -> bool:
    body = ast.parse(source).body
    return not body or (len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant))


def test_imports_keep_to_packages_levels_and_sections() -> None:
    files = [file for package in sorted(OURS - {"buyerview"}) for file in sorted((ROOT / package).rglob("*.py"))]
    assert [fault for file in files for fault in faults(file.relative_to(ROOT).as_posix(), file.read_text())] == []


def test_every_page_has_a_module_of_its_name_in_sections() -> None:
    pages = {file.stem for file in (ROOT / "pages").glob("*.py")} - {"__init__"}
    sections = {file.stem for file in (ROOT / "dashboard" / "sections").glob("*.py")}
    assert pages - sections == WITHOUT_SECTIONS


def test_init_files_contain_only_a_docstring() -> None:
    found = [file.relative_to(ROOT).as_posix() for package in OURS for file in (ROOT / package).rglob("__init__.py")]
    assert {name for name in found if not _is_docstring_only((ROOT / name).read_text())} == FRONTS


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
        ("metrics/facts/recoveries.py", "from metrics.measures.needs import NEEDS_DAMAGE"),
        ("metrics/measures/zones.py", "from metrics import queries"),
        ("metrics/model/measure.py", "from metrics.facts.orders import order_facts"),
        ("metrics/new_module.py", "import datetime"),
        ("metrics/facts/returns.py", "import duckdb"),
        ("ingest/read/read.py", "from ingest.load.merge import merge"),
        ("dashboard/components/cards.py", "from dashboard import queries"),
        ("dashboard/components/cards.py", "from dashboard.frame import page"),
        ("dashboard/frame/page.py", "from dashboard.sections import recovery"),
        ("dashboard/frame/page.py", "import altair"),
        ("dashboard/exports/write.py", "import streamlit as st"),
        ("dashboard/sections/recovery.py", "from dashboard.sections import packages"),
        ("dashboard/sections/what_changed_versions.py", "from dashboard.sections.what_changed import choose"),
        ("dashboard/app.py", "from dashboard.sections import recovery"),
    ],
)
def test_a_planted_wrong_import_is_found(path: str, source: str) -> None:
    assert faults(path, source)


def test_code_planted_in_an_init_file_is_found() -> None:
    assert not _is_docstring_only('"""Lists."""\nfrom metrics.lists import rows\n')


def test_there_are_no_circular_imports() -> None:
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
    packages = {"metrics", "ingest", "dashboard", "sample_data"}  # their __init__ is not a module of its parts
    return (found & set(known)) - packages


def test_the_dashboard_starts_without_the_slow_validation_library() -> None:
    import subprocess

    code = (
        "import dashboard.server.start, metrics.queries.answer, buyerview, sys; sys.exit('great_expectations' in "
        "sys.modules or 'streamlit' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_share_is_divided_where_it_is_shown() -> None:
    """Lists divide with `metrics.model.share`, so that each share has its numerator and denominator."""
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for folder in ("pages", "dashboard")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("formatting.percent", "formatting.share"))
        for part in ast.walk(call)
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)
    ]
    assert found == []
