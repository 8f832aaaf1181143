"""docs/rulings.md names tests and worked cases that exist, at least one for each ruling."""

import re
from pathlib import Path

from tests.fault.catalogue import test_names as names_of
from tests.support.rule_cases import CASES

PAGE = (Path(__file__).parents[1] / "docs" / "rulings.md").read_text(encoding="utf-8")


def test_every_ruling_has_existing_tests() -> None:
    rows = dict(re.findall(r"^\| ([NIT]\d+) \|(.*)$", PAGE, re.M))
    assert list(rows) == [
        f"{group}{n}" for group, last in (("N", 25), ("I", 22), ("T", 17)) for n in range(1, last + 1)
    ]
    for ruling, row in rows.items():
        assert re.search(r"`[\w/]+\.py::\w+`|case `", row), f"{ruling} names no test"


def test_every_named_test_and_case_exists() -> None:
    for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE):
        assert name in names_of(file), f"there is no test {file}::{name}"
    cases = [case.name for case in CASES]
    for name in re.findall(r"case `([^`]+)`", PAGE):
        assert any(one.startswith(name.removesuffix("…")) for one in cases), f"there is no case {name}"
