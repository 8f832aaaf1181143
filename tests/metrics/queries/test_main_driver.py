"""The main driver of a share's change: worked by hand, and against a search over every order of the sample."""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import Connection, func, select

from metrics.facts.orders import order_facts_table
from metrics.measures.catalog import dimension_column, dimensions_of, find
from metrics.queries.main_driver import DRIVERS, ERRORS, Driver, main_driver
from metrics.warehouse import Location, reading
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


def searched(connection: Connection, verdict: str, periods: tuple[tuple[date, date], ...]) -> tuple[str, str] | None:
    """Return dimension and value of the driver, from plain counts of orders: good and known, by value and period."""
    o = order_facts_table.c
    found: dict[tuple[str, str], float] = {}
    for dimension in DRIVERS:
        if dimension not in dimensions_of(find(verdict)):
            continue
        value = o[dimension_column(dimension)]
        rows = connection.execute(
            select(value, o.due_day, o[verdict]).where(o.state == "judged", o[verdict].is_not(None))
        )
        counts: Counter[tuple[str, int, bool]] = Counter()
        for name, day, is_good in rows:
            for place, (start, end) in enumerate(periods):
                if start <= day <= end:
                    counts[name, place, is_good] += 1
        totals = [
            [sum(n for (_, at, good), n in counts.items() if at == place and good >= least) for least in (1, 0)]
            for place in (0, 1)
        ]
        whole = totals[1][0] / totals[1][1] - totals[0][0] / totals[0][1]
        for name in {key[0] for key in counts}:
            own = [
                [counts[name, place, True], counts[name, place, True] + counts[name, place, False]] for place in (0, 1)
            ]
            rest = [[total[at] - of[at] for at in (0, 1)] for total, of in zip(totals, own, strict=True)]
            if name.startswith("(") or any(known == 0 for _, known in (*own, *rest)):
                continue
            beyond = own[1][0] / own[1][1] - own[0][0] / own[0][1] - rest[1][0] / rest[1][1] + rest[0][0] / rest[0][1]
            shares = [((good + 1) / (known + 2), known + 2) for good, known in (*own, *rest)]
            error = math.sqrt(sum(share * (1 - share) / known for share, known in shares))
            excess = beyond * sum(of[1] / total[1] for of, total in zip(own, totals, strict=True)) / 2
            if abs(beyond) > ERRORS * error and (excess > 0) == (whole > 0):
                found[dimension, name] = abs(excess)
    return max(found, key=lambda key: found[key], default=None)


def test_driver_equals_a_search_over_every_order_of_the_sample(sample: Location) -> None:
    named: set[tuple[str, str] | None] = set()
    with reading(sample) as connection:
        last: date = connection.scalar(
            select(func.max(order_facts_table.c.due_day)).where(order_facts_table.c.on_time.is_not(None))
        )
        for back in range(6):
            end = last - timedelta(weeks=4 * back)
            middle = end - timedelta(weeks=13)
            periods = ((middle - timedelta(weeks=13, days=-1), middle), (middle + timedelta(days=1), end))
            for verdict in ("on_time", "otif", "complete"):
                found = main_driver(connection, verdict, before=periods[0], after=periods[1])
                expected = searched(connection, verdict, periods)
                assert (found and (found.dimension, found.value)) == expected, (verdict, periods)
                named.add(expected)
    assert len(named) > 1
