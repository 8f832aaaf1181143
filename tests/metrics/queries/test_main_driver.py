"""The main driver of a share's change, worked by hand."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

import pytest
from sqlalchemy import Connection

from metrics.queries.main_driver import Driver, main_driver
from tests.metrics.queries.test_answer import history, publish, together
from tests.support.engines import memory

MARCH, APRIL = (date(2026, 3, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 4, 30))
ON_TIME = {
    # One carrier falls: 18 of 20 to 8 of 20. The other keeps 36 of 40.
    "web": {"Polar": ((18, 20), (8, 20)), "Baltic": ((36, 40), (36, 40))},
    # Both fall alike.
    "edi": {"Polar": ((18, 20), (13, 20)), "Baltic": ((36, 40), (26, 40))},
    # There is one carrier, so nothing tells it from all orders.
    "phone": {"Polar": ((10, 10), (2, 10))},
}


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    made, number = [], 0
    for channel, carriers in ON_TIME.items():
        for carrier, months in carriers.items():
            for month, (good, all_) in zip(("03", "04"), months, strict=True):
                for at in range(all_):
                    number += 1
                    came = f"2026-{month}-{9 if at < good else 14:02d}"
                    order = history(number, came=came, left=f"2026-{month}-02", ordered_at=f"2026-{month}-01")
                    order["orders"][0].update(channel=channel, promised_by=date(2026, int(month), 10))
                    order["shipments"][0]["carrier"] = carrier
                    made.append(order)
    engine = memory()
    with engine.connect() as opened:
        publish(opened, together(*made))
        yield opened
    engine.dispose()


def driver(connection: Connection, channel: str) -> Driver | None:
    return main_driver(connection, "on_time", before=MARCH, after=APRIL, where=(("channel", (channel,)),))


def test_the_driver_is_the_value_that_changed_unlike_the_rest(connection: Connection) -> None:
    """54 of 60 to 44 of 60 is -1/6. Polar: weight 1/3, rate -1/2, the rest 0, so its excess is all of the change."""
    found = driver(connection, "web")
    assert found is not None
    assert (found.dimension, found.value, found.excess) == ("carrier", "Polar", Fraction(-1, 6))
    assert (found.before.numerator, found.before.denominator) == (18, 20)
    assert (found.after.numerator, found.after.denominator) == (8, 20)


def test_values_that_change_equally_are_not_a_driver(connection: Connection) -> None:
    assert driver(connection, "edi") is None


def test_value_that_contains_all_orders_is_not_a_driver(connection: Connection) -> None:
    assert driver(connection, "phone") is None


def test_filtered_dimension_is_not_a_driver(connection: Connection) -> None:
    where = (("channel", ("web",)), ("carrier", ("Polar",)))
    assert main_driver(connection, "on_time", before=MARCH, after=APRIL, where=where) is None


def test_numbers_and_shares_of_units_have_no_driver(connection: Connection) -> None:
    for measure in ("failed_orders", "unit_fill_final"):
        assert main_driver(connection, measure, before=MARCH, after=APRIL) is None
