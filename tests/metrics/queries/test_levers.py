"""Levers: worked by hand, and compared with judging random orders again, order by order, without the reason."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts import recovery_costs
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.model.question import Question
from metrics.queries.levers import ALL, DIMENSIONS, NOT_A_VALUE, Lever, levers, orders_of, top, without
from metrics.schema import orders
from metrics.warehouse import Location, reading
from tests.metrics.facts.orders.worlds import drawn_worlds
from tests.support.ask_measures import only
from tests.support.builders import Records, everything, order_line, product
from tests.support.engines import ENGINES, empty, memory
from tests.support.rule_cases import END_OF_APRIL, both, history, renamed, sent
from tests.support.sql_facts import build

Row = dict[str, Any]
TESTS = ("on_time", "complete", "otif", "damage_free", "filled_accurately", "billed_accurately")
WRONG = ("wrong_item", "wrong_place")
Key = tuple[str, str, str]
"""Reason, dimension and value of a lever."""
filled = only(recovery_costs)
VIEW = Question((), start=date(2026, 3, 1), end=date(2026, 3, 31))


def late(carrier: str = "road", **bill: object) -> Records:
    return history(sent(9, 15, carrier=carrier), bills=[bill] if bill else None)


def worked() -> Records:
    """Return 12 orders of 500 each, of which 4 are perfect."""
    two_lines = history(
        sent(9, 15, 50, line_no="1"),
        sent(9, 15, 50, line_no="2", carrier="rail"),
        lines=[order_line(ordered_qty=50), order_line(line_no="2", ordered_qty=50)],
    )
    made = {
        **{f"PERFECT{number}": history(sent(8, 9)) for number in range(4)},
        "LATE1": late(),
        "LATE2": late(),
        "LATE_RAIL": late("rail"),
        "LATE_BOTH": two_lines,
        "LATE_AND_PRICE": late(unit_price_amount="6.00"),
        "PRICE": history(sent(8, 9), bills=[{"unit_price_amount": "6.00"}]),
        "NEVER": history(),
        "WRONG": history(sent(8, 9, product_id="Q"), bills=[]),
    }
    records = both(*[renamed(one, name) for name, one in made.items()])
    return records | {"products": [product(unit_cost_amount="3.00", category="pumps")]}


@pytest.fixture(scope="module", params=ENGINES)
def judged(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with empty(request) as connection:
        build(connection, worked(), END_OF_APRIL, everything())
        yield connection


def by_key(found: tuple[Lever, ...]) -> dict[Key, Lever]:
    return {(one.reason, one.dimension, one.of): one for one in found}


def test_levers_of_a_worked_case(judged: Connection) -> None:
    """4 of 12 are perfect. Without late deliveries by road: 6 of 12. Without all late deliveries: 8 of 12.

    LATE_BOTH is late on road and on rail, so no carrier alone explains it. LATE_AND_PRICE has two reasons.
    """
    found = levers(judged, VIEW)
    assert (found.whole.numerator, found.whole.denominator, found.failed, found.several) == (4, 12, 8, 1)
    told = {
        key: (one.orders, one.perfect, one.without.numerator, one.without.denominator)
        for key, one in by_key(found.levers).items()
        if key[1] in (ALL, "carrier")
    }
    assert told == {
        ("late", ALL, ALL): (4, 4, 8, 12),
        ("late", "carrier", "road"): (2, 2, 6, 12),
        ("late", "carrier", "rail"): (1, 1, 5, 12),
        ("late", "carrier", "(several)"): (1, 1, 5, 12),
        ("billed_price", ALL, ALL): (1, 1, 5, 12),
        ("billed_price", "carrier", "road"): (1, 1, 5, 12),
        ("never_received", ALL, ALL): (1, 0, 4, 11),
        ("never_received", "carrier", "(none)"): (1, 0, 4, 11),
        ("wrong_item", ALL, ALL): (1, 0, 4, 11),
        ("wrong_item", "carrier", "road"): (1, 0, 4, 11),
    }


def test_value_and_margin_at_stake(judged: Connection) -> None:
    """Two late orders of 500. The order never received lacks 100 × (5.00 - 3.00). The records have no case costs."""
    found = by_key(levers(judged, VIEW).levers)
    road, never = found["late", "carrier", "road"], found["never_received", ALL, ALL]
    assert (road.value, road.cost, road.lost_margin) == (Decimal(1000), None, Decimal(0))
    assert (never.value, never.lost_margin) == (Decimal(500), Decimal(200))


def test_levers_name_their_orders(judged: Connection) -> None:
    assert orders_of(judged, VIEW, "late", "carrier", "road") == ["LATE1", "LATE2"]
    assert orders_of(judged, VIEW, "late", ALL, ALL) == ["LATE1", "LATE2", "LATE_BOTH", "LATE_RAIL"]


def test_best_levers_have_different_reasons_and_add_up(judged: Connection) -> None:
    """Late deliveries of all orders are of category pumps: 4. The wrong price: 1. Together 4 + 5 of 12."""
    found = levers(judged, VIEW)
    best = top(found, 3)
    assert [(one.reason, one.dimension, one.orders) for one in best] == [
        ("late", "product_category", 4),
        ("billed_price", "carrier", 1),
    ]
    together = without(found.whole, sum(one.orders for one in best), sum(one.perfect for one in best))
    assert (together.numerator, together.denominator) == (9, 12)


def test_filters_narrow_the_levers(judged: Connection) -> None:
    found = levers(judged, Question((), where=(("carrier", ("rail",)),)))
    assert (found.failed, [one.reason for one in found.levers if one.dimension == ALL]) == (1, ["late"])
    assert levers(judged, Question((), start=date(2027, 1, 1))).levers == ()


# ------------------------------------------------------------------------------------------------------- brute force
def all_of(verdicts: list[bool | None]) -> bool | None:
    """Return the AND of verdicts with three values."""
    return False if False in verdicts else None if None in verdicts else True


def cured(line: Row, reason: str) -> Row:
    """Return a line without the failures of a reason, and without those that follow from it."""
    gone = {test for test in TESTS if line[test] is False and line[f"{test}_reason"] == reason}
    after = line | dict.fromkeys(gone, True)
    never = line["on_time"] is False and line["on_time_reason"] == "never_received"
    wrong = (line["filled_accurately"], line["complete"]) == (False, False) and line[
        "filled_accurately_reason"
    ] in WRONG
    if wrong:  # only the right goods decide what is missing, and whether they came at all
        after["complete"] = None if "filled_accurately" in gone else False
        if never:
            after["on_time"] = None if "filled_accurately" in gone else False
    elif never and "on_time" in gone and line["complete"] is False:
        after["complete"] = True
    if line["otif"] is False and False in (line["on_time"], line["complete"]):
        after["otif"] = all_of([after["on_time"], after["complete"]])
    elif line["otif"] is False and "otif" in gone:
        after["otif"] = None  # on time and complete are unknown
    return after


def perfect(lines: list[Row]) -> bool | None:
    """Judge an order from its lines."""
    goods = [line for line in lines if line["state"] == "judged"]
    received = any((line["received_qty"] or 0) > 0 for line in goods)
    tests = [all_of([line["otif"] for line in goods])]
    for test in ("damage_free", "filled_accurately"):
        tested = [line[test] for line in goods if line[f"{test}_reason"] != "nothing_received"]
        tests.append(all_of(tested) if received else None)
    billed = [line["billed_accurately"] for line in lines if line["billed_accurately_reason"] != "nothing_received"]
    tests.append(all_of(billed) if billed else None)
    return all_of(tests)


def recount(connection: Connection) -> tuple[Counter[Key], Counter[Key], int]:
    """Judge every failed order again without each reason at each value. Return the counts of orders by lever that no
    longer fail and that become perfect, and the number of failed orders.
    """
    places = {row["order_id"]: row["ship_to"] for row in connection.execute(select(orders)).mappings()}
    lines: dict[str, list[Row]] = {}
    for line in connection.execute(select(order_line_facts_table)).mappings():
        lines.setdefault(line["order_id"], []).append(dict(line))
    mended: Counter[Key] = Counter()
    made_perfect: Counter[Key] = Counter()
    failed = 0
    for order in connection.execute(select(order_facts_table).where(order_facts_table.c.state == "judged")).mappings():
        own = lines[order["order_id"]]
        assert perfect(own) is order["perfect_order"]
        failed += order["perfect_order"] is False
        if order["perfect_order"] is not False:
            continue
        whole = {"place": places.get(order["order_id"]) or "(none)", "customer": order["customer_id"]}
        whole |= {"segment": order["segment"], ALL: ALL}
        reasons = {line[name] for line in own for name in line if name.endswith("_reason")} - {None}
        for reason in reasons:
            for dimension in (ALL, *DIMENSIONS):
                for value in {whole.get(dimension) or line[dimension] for line in own}:
                    after = [
                        cured(line, reason) if value in (whole.get(dimension), line.get(dimension)) else line
                        for line in own
                    ]
                    if (verdict := perfect(after)) is not False:
                        mended[reason, dimension, value] += 1
                        made_perfect[reason, dimension, value] += verdict is True
    return mended, made_perfect, failed


def compare(connection: Connection) -> Counter[str]:
    """Compare the levers with the recount, and return the orders of each reason."""
    found = levers(connection, Question(()))
    mended, made_perfect, failed = recount(connection)
    told = {key: one for key, one in by_key(found.levers).items() if key[2] not in NOT_A_VALUE}
    assert {key: one.orders for key, one in told.items()} == {
        key: count for key, count in mended.items() if key[2] not in NOT_A_VALUE
    }
    assert {key: one.perfect for key, one in told.items()} == {key: made_perfect[key] for key in told}
    assert found.failed == failed
    for dimension in (ALL, *DIMENSIONS):
        assert sum(one.orders for one in found.of_dimension(dimension)) + found.several == failed
    return Counter({one.reason: one.orders for one in found.of_dimension(ALL)})


def test_levers_equal_judging_every_order_of_the_sample_again(sample: Location) -> None:
    with reading(sample) as connection:
        reasons = compare(connection)
    assert len(reasons) > 5
    assert sum(reasons.values()) > 50


@pytest.mark.long
def test_levers_equal_judging_random_orders_again() -> None:
    (world,) = drawn_worlds(1, 120)
    engine = memory()
    with engine.connect() as connection:
        build(connection, world.records, world.as_of, everything())
        reasons = compare(connection)
    engine.dispose()
    assert len(reasons) > 2
