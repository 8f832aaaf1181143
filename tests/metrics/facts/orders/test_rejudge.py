"""Orders are judged in batches that their number of lines limits."""

import pytest
from sqlalchemy import Connection, select

from metrics.facts import rejudge
from metrics.facts.rejudge import order_batches
from metrics.schema import orders
from tests.metrics.facts.orders.worlds import load
from tests.support.builders import Records, order, order_line
from tests.support.rule_cases import END_OF_APRIL

pytestmark = pytest.mark.both_engines


@pytest.mark.parametrize("engine", ["embedded", "server"])
def test_batches_hold_a_limited_number_of_lines(
    engine: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two small orders share a batch, an order of many lines is not divided, and one without lines is not lost."""
    connection: Connection = request.getfixturevalue(engine)
    lines = {"A": 4, "B": 3, "C": 20, "D": 0, "E": 6}
    records: Records = {
        "orders": [order(order_id=order_id) for order_id in lines],
        "order_lines": [
            order_line(order_id=order_id, line_no=str(number)) for order_id, n in lines.items() for number in range(n)
        ],
    }
    load(connection, records, END_OF_APRIL)
    monkeypatch.setattr(rejudge, "LINES_PER_BATCH", 10)
    assert order_batches(connection, select(orders.c.order_id).subquery()) == [("A", "C"), ("D", "E")]
