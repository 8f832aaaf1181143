"""A raised expectation must never pass for a good one."""

from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from ingest.errors import RunAborted
from ingest.expectations import Rule, refuse_exceptions, validate


def result(info: dict[str, Any]) -> Any:
    config = SimpleNamespace(type="expect", kwargs={"column": "c"})
    return SimpleNamespace(results=[SimpleNamespace(exception_info=info, expectation_config=config)])


def test_both_shapes_of_a_raised_exception_abort_the_run() -> None:
    raised = {"raised_exception": True, "exception_message": "no such column"}
    for info in (raised, {"metric id": raised}):
        with pytest.raises(RunAborted, match="no such column"):
            refuse_exceptions(result(info), "orders")
    refuse_exceptions(result({"raised_exception": False}), "orders")


def test_failing_rows_are_found_all_of_them_and_a_missing_column_aborts() -> None:
    staging = duckdb.connect()
    staging.execute("CREATE VIEW check_orders AS SELECT n AS _row, n AS q, n % 2 = 0 AS rule_even FROM range(1000) AS r(n)")
    even = Rule("even", "q", "true", "Make it even.", claim="q % 2 = 0")
    small = Rule("small", "q", "between", "Make it small.", low=0, high=900)
    outcomes = validate(staging, {"orders": (even, small)}, {"orders": 1000})["orders"]
    assert [(one.rule.name, one.rows_checked, len(one.broken)) for one in outcomes] == [("even", 1000, 500), ("small", 1000, 99)]
    with pytest.raises(RunAborted):
        validate(staging, {"orders": (Rule("gone", "no_such_column", "present", "x"),)}, {"orders": 1000})
    with pytest.raises(RunAborted, match="did not see the 7 rows"):
        validate(staging, {"orders": (even,)}, {"orders": 7})
    staging.close()
