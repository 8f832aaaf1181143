"""Text of users and of the data is never SQL, and regular expressions take linear time (C4, C18)."""

import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ingest.read import sql_sandbox
from metrics.errors import BuyerviewError
from metrics.model.dimensions import DIMENSIONS
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.schema import orders
from metrics.warehouse import Location, reading

PAYLOADS = (
    "'", '"', "';",
    "' or '1'='1", "' or 1=1 --", "'; drop table orders; --", "') or true --", "\\", "\\'", "%", "_",
    "%' --",
    "' union select * from runs --", "1; attach 'x'", "/*", "*/ or 1=1", "--", ":name", "%(name)s", "{x}", "$1",
    "?", "' || (select current_setting('memory_limit')) || '", "read_text('/etc/hostname')", "＇ or 1=1", "ʼ or 1=1",
)  # fmt: skip


def test_filter_values_are_never_sql(sample: Location) -> None:
    """A filter by texts that no order has counts no order, whatever the texts are: each dimension with all of them."""
    with reading(sample) as connection:
        before = connection.scalar(select(func.count()).select_from(orders))
        filters = [(dimension, PAYLOADS) for dimension in DIMENSIONS]
        filters += [("customer", (payload,)) for payload in PAYLOADS]
        refused = 0
        for one in filters:
            try:
                found = answer(connection, Question(("judged_orders",), where=(one,)))
            except BuyerviewError:
                refused += 1
                continue
            assert all(not answered.value for answered in found), one
        assert refused < len(DIMENSIONS)
        assert connection.scalar(select(func.count()).select_from(orders)) == before


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "^(a?){50}a{50}$"])
def test_nested_quantifiers_of_a_mapping_take_linear_time(pattern: str, tmp_path: Path) -> None:
    connection = sql_sandbox.open_sandbox(tmp_path / "sandbox.duckdb", memory="500MB")
    connection.execute("CREATE TABLE staged AS SELECT 1 AS _row_no, repeat('a', 100000) || '!' AS v")
    sql_sandbox.lock(connection)
    began = time.process_time()
    connection.execute(f"select regexp_matches(v, '{pattern}') from staged").fetchall()
    assert time.process_time() - began < 5
    connection.close()
