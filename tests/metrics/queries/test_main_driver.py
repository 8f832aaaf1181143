"""The main driver of a share's change: worked by hand, and against a search over every order of the sample."""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import Connection, RowMapping, func, select

from metrics.facts.orders import order_facts_table
from metrics.measures.catalog import dimension_column, dimensions_of, find
from metrics.queries.explain import explain
from metrics.queries.failure_reasons import REASON
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
LATE_AND_DAMAGED = {"03": (4, 5), "04": (24, 2)}
"""Of 40 orders of the channel "fax" in a month: late (and half of them damaged too), and damaged only."""


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
    for month, (late, damaged) in LATE_AND_DAMAGED.items():
        for at in range(40):
            number += 1
            is_damaged = at < late // 2 or late <= at < late + damaged
            came = f"2026-{month}-{14 if at < late else 9:02d}"
            order = history(number, came=came, left=f"2026-{month}-02", damaged=int(is_damaged))
            order["orders"][0].update(channel="fax", ordered_at=f"2026-{month}-01")
            order["orders"][0].update(promised_by=date(2026, int(month), 10))
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


def test_the_driver_is_a_reason_if_no_value_explains_more(connection: Connection) -> None:
    """Perfect: 31 of 40 to 14 of 40, -17/40. Late: 4 to 24 of 40, so -20/40; late and damaged counts as late. Damaged
    only: 5 to 2 of 40, so +3/40. No value of a dimension tells orders apart.
    """
    where = (("channel", ("fax",)),)
    found = main_driver(connection, "perfect_order", before=MARCH, after=APRIL, where=where)
    assert found is not None
    assert (found.dimension, found.value, found.excess) == (REASON, "late", Fraction(-20, 40))
    assert [(share.numerator, share.denominator) for share in (found.before, found.after)] == [(4, 40), (24, 40)]
    explained = explain(connection, "perfect_order", by=REASON, before=MARCH, after=APRIL, where=where)
    assert {part.value: part.effect for part in explained.parts} == {
        "late": Fraction(-20, 40),
        "damaged": Fraction(3, 40),
    }
    assert explained.change == Fraction(-17, 40)


def test_filtered_dimension_is_not_a_driver(connection: Connection) -> None:
    where = (("channel", ("web",)), ("carrier", ("Polar",)))
    assert main_driver(connection, "on_time", before=MARCH, after=APRIL, where=where) is None


def test_numbers_and_shares_of_units_have_no_driver(connection: Connection) -> None:
    for measure in ("failed_orders", "unit_fill_final"):
        assert main_driver(connection, measure, before=MARCH, after=APRIL) is None


def searched(connection: Connection, verdict: str, periods: tuple[tuple[date, date], ...]) -> tuple[str, str] | None:
    """Return dimension and value of the driver, from plain counts of orders: good and known, by value and period."""
    o = order_facts_table.c
    reasons = searched_reasons(connection, verdict, periods)
    whole = sum(effect for effect, _ in reasons.values())
    found = {
        (REASON, reason): float(abs(effect))
        for reason, (effect, error) in reasons.items()
        if len(reasons) > 1 and abs(effect) > ERRORS * error and (effect > 0) == (whole > 0)
    }
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


def first_reason(order: RowMapping, verdict: str) -> object:
    """Return the reason of the first test that an order failed; None if it passed."""
    tests: tuple[str, ...] = {"otif": ("on_time", "complete", "otif")}.get(verdict, (verdict,))
    if verdict == "perfect_order":
        tests = ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately", "otif")
    return next((order[f"{test}_reason"] for test in tests if order[test] is False), None)


def searched_reasons(
    connection: Connection, verdict: str, periods: tuple[tuple[date, date], ...]
) -> dict[str, tuple[Fraction, float]]:
    """Return what each reason adds to the change, and its standard error, from the single orders."""
    orders = [
        order
        for order in connection.execute(select(order_facts_table)).mappings()
        if order["state"] == "judged" and order[verdict] is not None
    ]
    counted = []
    for start, end in periods:
        reasons = [first_reason(order, verdict) for order in orders if start <= order["due_day"] <= end]
        counted.append((Counter(reasons), len(reasons)))
    found = {}
    for reason in {*counted[0][0], *counted[1][0]} - {None}:
        (before, of_before), (after, of_after) = ((counts[reason], known) for counts, known in counted)
        shares = [((n + 1) / (d + 2), d + 2) for n, d in ((before, of_before), (after, of_after))]
        error = math.sqrt(sum(share * (1 - share) / known for share, known in shares))
        found[str(reason)] = Fraction(before, of_before) - Fraction(after, of_after), error
    return found


@pytest.mark.long
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
            for verdict in ("on_time", "otif", "complete", "perfect_order"):
                found = main_driver(connection, verdict, before=periods[0], after=periods[1])
                parts = explain(connection, verdict, by=REASON, before=periods[0], after=periods[1])
                if parts.why_not:
                    assert found is None
                    continue
                compared = parts.compared or periods
                expected = searched(connection, verdict, compared)
                assert (found and (found.dimension, found.value)) == expected, (verdict, periods)
                named.add(expected)
                effects = {part.value: part.effect or Fraction(0) for part in parts.parts}
                reasons = searched_reasons(connection, verdict, compared)
                assert effects == {reason: effect for reason, (effect, _) in reasons.items()}
                segments = explain(connection, verdict, by="segment", before=periods[0], after=periods[1])
                assert parts.change == sum(effects.values()) == segments.change
    assert len(named) > 1
