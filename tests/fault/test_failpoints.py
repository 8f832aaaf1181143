"""Failpoints are collected from the sources, so tests cover every one."""

from pathlib import Path

import pytest

from tests.support import failpoints


def test_failpoint_names_include_every_step_of_the_publish() -> None:
    names = failpoints.names(["metrics"])
    assert {
        "warehouse.lock",
        "warehouse.copy",
        "warehouse.hash",
        "warehouse.rename",
        "warehouse.replace",
        "warehouse.collect",
    } <= set(names)


def test_a_step_without_a_literal_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("step = 'x'\nfailpoint(step)\n")
    with pytest.raises(ValueError, match=r"module.py:2: give failpoint\(\) a literal name"):
        failpoints.names([tmp_path])
