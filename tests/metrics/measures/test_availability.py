"""Worked cases of the buyer's three questions, substitutes, back-orders and value fill, as numerator/denominator."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts import anchor_dates, availability
from metrics.facts.availability import availability_facts_table
from metrics.model.question import Answer, Question
from metrics.queries import statements
from metrics.queries.answer import answer
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild import rebuild
from tests.support.ask_measures import only
from tests.support.builders import Row, everything, fx_rate, order, order_line, records, shipment, shipment_line
from tests.support.engines import memory
from tests.support.sql_facts import build

filled = only(availability)

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999_999)
CORE = everything("orders", "order_lines", "shipments", "shipment_lines")


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Fill only the two fact tables of these measures. Such a build takes a fifth of the time."""
    monkeypatch.setattr(rebuild, "FACT_TABLES", (*anchor_dates.FACT_TABLES, *availability.FACT_TABLES))
    monkeypatch.setattr(rebuild, "rebuild_rollups", rollup_metadata.create_all)
    monkeypatch.setattr(statements, "smallest_rollup", lambda *_, **__: None)
    engine = memory()
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def came(order_id: str, shipped: str, received: str | None, line_no: str = "1", **line: Any) -> dict[str, list[Row]]:
    """Return one consignment of one line."""
    name = f"{order_id}-{line_no}-{shipped}"
    return {
        "shipments": [shipment(shipment_id=name, shipped_at=shipped, received_at=received)],
        "shipment_lines": [shipment_line(**({"shipment_id": name, "order_id": order_id, "line_no": line_no} | line))],
    }


def wanted(order_id: str, *lines: str, **head: Any) -> dict[str, list[Row]]:
    """Return an order with lines of 100 of P, requested by 8 March and promised for the 10th."""
    made = {"orders": [order(order_id=order_id, requested_by="2026-03-08", **head)]}
    return made | {"order_lines": [order_line(order_id=order_id, line_no=number) for number in lines or ("1",)]}


def world() -> dict[str, list[Row]]:
    """Eight orders and their results (what, when, quantity):

    ALL arrived completely on the 8th (T, T, T). LATE arrived on the 9th, within the promise but after the request (T,
    F, T). SHORT got 60 on the 8th (T, T, F). WRONG got Q without agreement (F, F, F). NONE got nothing (F, F, F). WAY
    left on the 7th without proof of receipt (?, ?, ?). HALF got one line of two (F, F, F). SUB got an agreed substitute
    (T, T, T).
    """
    parts = [
        wanted("ALL"),
        came("ALL", "2026-03-07", "2026-03-08"),
        wanted("LATE"),
        came("LATE", "2026-03-07", "2026-03-09"),
        wanted("SHORT"),
        came("SHORT", "2026-03-07", "2026-03-08", shipped_qty=60),
        wanted("WRONG"),
        came("WRONG", "2026-03-07", "2026-03-08", product_id="Q"),
        wanted("NONE"),
        wanted("WAY"),
        came("WAY", "2026-03-07", None),
        wanted("HALF", "1", "2"),
        came("HALF", "2026-03-07", "2026-03-08"),
        wanted("SUB"),
        came("SUB", "2026-03-07", "2026-03-08", product_id="Q", substitution_agreed=True),
    ]
    return together(*parts)


def together(*parts: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return {
        feed: [one for part in parts for one in part.get(feed, [])]
        for feed in {feed for part in parts for feed in part}
    }


def asked(connection: Connection, *names: str) -> dict[str, Answer]:
    return {one.measure: one for one in answer(connection, Question(names))}


def halves(one: Answer) -> tuple[Any, ...]:
    return one.numerator, one.denominator, one.unknown


def test_availability_facts_judge_what_when_and_quantity_of_each_order(connection: Connection) -> None:
    build(connection, records(**world()), END_OF_APRIL, CORE)
    a = availability_facts_table.c
    found = {
        row_[0]: tuple(row_[1:])
        for row_ in connection.execute(select(a.order_id, a.got_what, a.got_when, a.got_quantity, a.got_all))
    }
    assert found == {
        "ALL": (True, True, True, True),
        "LATE": (True, False, True, False),
        "SHORT": (True, True, False, False),
        "WRONG": (False, False, False, False),
        "NONE": (False, False, False, False),
        "WAY": (None, None, None, None),
        "HALF": (False, False, False, False),
        "SUB": (True, True, True, True),
    }


def test_availability_measures_have_the_expected_numerators_and_denominators(connection: Connection) -> None:
    # of eight orders one (WAY) is unknown in all. what: ALL LATE SHORT SUB; when: ALL SHORT SUB; quantity: ALL LATE
    # SUB; all three: ALL SUB
    build(connection, records(**world()), END_OF_APRIL, CORE)
    found = asked(connection, "got_what_wanted", "got_when_wanted", "got_quantity_wanted", "available_as_wanted")
    assert [halves(one) for one in found.values()] == [(4, 7, 1), (3, 7, 1), (3, 7, 1), (2, 7, 1)]
    assert (found["available_as_wanted"].worst, found["available_as_wanted"].best) == (2 / 8, 3 / 8)


def test_available_as_wanted_is_decided_per_order_and_not_multiplied(connection: Connection) -> None:
    # LATE fails when, SHORT fails quantity: each question 1/2, all three 0/2 and not 1/4
    parts = together(
        wanted("LATE"),
        came("LATE", "2026-03-07", "2026-03-09"),
        wanted("SHORT"),
        came("SHORT", "2026-03-07", "2026-03-08", shipped_qty=60),
    )
    build(connection, records(**parts), END_OF_APRIL, CORE)
    found = asked(connection, "got_when_wanted", "got_quantity_wanted", "available_as_wanted")
    assert [halves(one)[:2] for one in found.values()] == [(1, 2), (1, 2), (0, 2)]


def test_order_with_a_future_requested_date_is_judged_for_what_but_not_for_when(connection: Connection) -> None:
    # Promised for the 10th and requested by 20 May: at the end of April the request is in the future.
    later = {"orders": [order(requested_by="2026-05-20")], "order_lines": [order_line()]}
    build(connection, records(**together(later, came("O", "2026-03-07", "2026-03-08"))), END_OF_APRIL, CORE)
    found = asked(connection, "got_what_wanted", "got_when_wanted", "available_as_wanted")
    assert halves(found["got_what_wanted"]) == (1, 1, 0)
    assert [(found[name].value, found[name].judged) for name in ("got_when_wanted", "available_as_wanted")] == [
        (None, 0),
        (None, 0),
    ]


def test_got_when_wanted_is_unknown_without_a_requested_date_and_names_a_missing_column(connection: Connection) -> None:
    build(
        connection,
        records(
            **together({"orders": [order()], "order_lines": [order_line()]}, came("O", "2026-03-07", "2026-03-08"))
        ),
        END_OF_APRIL,
        CORE,
    )
    one = asked(connection, "got_when_wanted")["got_when_wanted"]
    assert (one.value, one.unknown) == (None, 1)
    build(connection, records(**world()), END_OF_APRIL, CORE - {"orders.requested_by", "order_lines.requested_by"})
    assert (
        asked(connection, "got_when_wanted")["got_when_wanted"].no_data
        == "no data: requested_by (map orders.requested_by or order_lines.requested_by)"
    )


def test_got_what_wanted_is_unknown_if_a_line_is_quarantined(connection: Connection) -> None:
    held = {
        "file_id": 1,
        "run_id": 1,
        "feed": "shipment_lines",
        "object_name": "x",
        "row_no": 1,
        "order_id": "O",
        "line_no": "1",
        "record": "{}",
        "rules": "[]",
        "status": "rejected",
    }
    build(connection, {**records(**wanted("O")), "quarantine": [held]}, END_OF_APRIL, CORE)
    assert halves(asked(connection, "got_what_wanted")["got_what_wanted"]) == (0, 0, 1)


def test_substitution_and_back_order_shares_use_all_judged_lines(connection: Connection) -> None:
    # ten lines. Substituted: SUB. Short at first pass with the rest sent later: BACK (60 on the 7th, 40 on the 12th);
    # SHORT's rest never went.
    parts = together(
        world(),
        wanted("BACK"),
        came("BACK", "2026-03-07", "2026-03-08", shipped_qty=60),
        came("BACK", "2026-03-12", "2026-03-13", shipped_qty=40),
    )
    build(connection, records(**parts), END_OF_APRIL, CORE)
    found = asked(connection, "substitution_share", "back_order_share")
    assert [halves(one)[:2] for one in found.values()] == [(1, 10), (1, 10)]


def test_value_fill_is_in_the_reporting_currency(connection: Connection) -> None:
    # EUR: 60 of 100 at 5.00 × 1.10 = 330 of 550. USD, the reporting currency: 100 of 100 at 5.00 = 500 of 500. AED has
    # no rate: left out.
    parts = [{"fx_rates": [fx_rate()]}]
    for order_id, currency, quantity in (("E", "EUR", 60), ("U", "USD", 100), ("D", "AED", 100)):
        parts += [wanted(order_id, currency=currency), came(order_id, "2026-03-07", "2026-03-08", shipped_qty=quantity)]
    build(connection, records(**together(*parts)), END_OF_APRIL, CORE | everything("fx_rates"))
    found = asked(connection, "value_fill_first_pass", "value_fill_final")
    assert [(one.numerator, one.denominator) for one in found.values()] == [(830, 1050), (830, 1050)]


def test_without_rates_two_currencies_are_not_added(connection: Connection) -> None:
    parts = []
    for order_id, currency in (("E", "EUR"), ("U", "USD")):
        parts += [wanted(order_id, currency=currency), came(order_id, "2026-03-07", "2026-03-08")]
    build(connection, records(**together(*parts)), END_OF_APRIL, CORE)
    one = asked(connection, "value_fill_final")["value_fill_final"]
    assert one.value is None
    assert "more than one currency" in str(one.no_data)
