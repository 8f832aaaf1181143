"""The 13 steps, the slack ledger, work in progress and payment: hand-worked, then recounted in plain Python."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts import payments, process_steps, step_slack, work_in_progress
from metrics.facts.payments import cash_facts_table, payment_facts_table
from metrics.facts.process_steps import STEPS, step_facts_table
from metrics.facts.step_slack import late_order_facts_table, step_budgets_table
from metrics.measures.order_to_cash import SlackPoint, slack_ledger
from metrics.queries.answer import Question, answer
from tests.reference.cycle_times import budgets_of_segment, slack
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import (
    Row,
    customer,
    everything,
    invoice,
    invoice_line,
    order,
    order_event,
    order_line,
    payment,
    records,
    shipment,
    shipment_line,
)
from tests.support.rule_cases import END_OF_APRIL
from tests.support.sql_facts import build

filled = only(payments, process_steps, step_slack, work_in_progress)

MAPPED = everything() | everything("order_events", "payments")
START = datetime(2026, 3, 1)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


def at(hours: float) -> str:
    """An instant so many hours after the start of 1 March."""
    return f"{(START + hours * HOUR).isoformat()}Z"


def finished(order_id: str, hours: dict[int, float]) -> list[Row]:
    """Steps of an order that finished so many hours after it was placed, each begun an hour before."""
    return [
        order_event(order_id=order_id, step=step, started_at=at(end - 1), finished_at=at(end))
        for step, end in hours.items()
    ]


def world(
    arrivals: dict[str, float | None],
    events: list[Row],
    *,
    due: float = 72,
    customers: dict[str, str] | None = None,
    **feeds: Any,
) -> Any:
    """Orders of hour 0 due at an hour, received at theirs."""
    there = {name: hours for name, hours in arrivals.items() if hours is not None}
    segments = customers or {}
    return (
        records(
            orders=[
                order(order_id=name, customer_id=segments.get(name, "C"), ordered_at=at(0), promised_by=at(due))
                for name in arrivals
            ],
            order_lines=[order_line(order_id=name) for name in arrivals],
            shipments=[
                shipment(shipment_id=name, shipped_at=at(0), received_at=at(hours)) for name, hours in there.items()
            ],
            shipment_lines=[shipment_line(shipment_id=name, order_id=name) for name in there],
            customers=[customer(), customer(customer_id="D", service_segment="B")],
            order_events=events,
        )
        | feeds
    )


BOOK = {2: 8.0, 9: 28.0, 10: 42.0, 11: 66.0}
"""On-time orders that take 8, 20, 14 and 24 hours: the budgets of the book's example."""


def test_the_slack_ledger_of_the_rule_book(database: Connection) -> None:
    """Due at hour 72, budgets 8, 20, 14, 24 h; finishes 10, 45, 55, 76: slack +6 at order, then +4, -11, -7, -4: the
    promise died at step 9.
    """
    made = world({"GOOD": 66, "LATE": 76}, [*finished("GOOD", BOOK), *finished("LATE", {2: 10, 9: 45, 10: 55, 11: 76})])
    build(database, made, END_OF_APRIL, MAPPED)
    found = slack_ledger(database, "LATE")
    assert found is not None
    assert [(point.step, point.slack_seconds / 3600) for point in found.points] == [
        (0, 6),
        (2, 4),
        (9, -11),
        (10, -7),
        (11, -4),
    ]
    assert found.died_at == 9
    assert found.points[0] == SlackPoint(0, START, 6 * 3600)
    by_step = answer(database, Question(("promise_died", "promises_died"), by=("step",)))
    assert [(one.measure, one.dimensions["step"], one.value, one.numerator, one.denominator) for one in by_step] == [
        ("promise_died", "09", 1.0, 1, 1),
        ("promises_died", "09", 1, 1, None),
    ]
    (whole,) = answer(database, Question(("promise_died",)))
    assert (whole.numerator, whole.denominator) == (1, 1)


@pytest.mark.parametrize(
    ("finishes", "step"),
    [
        ({2: 8, 9: 28, 10: 42, 11: 80}, "11"),
        ({2: 20, 9: 40, 10: 54, 11: 76}, "02"),  # +6 at order, then -6 to the end
        ({2: 20, 9: 28, 10: 42, 11: 80}, "11"),  # below 0 after 2, made good at 9
        ({9: 45, 10: 55}, "09"),  # step 2 not observed
        ({2: 8, 9: 28, 10: 42}, "(none)"),  # there was time left at the last step observed
    ],
)
def test_a_promise_dies_at_the_first_step_from_which_slack_stays_below_0(
    database: Connection, finishes: dict[int, float], step: str
) -> None:
    made = world(
        {"GOOD": 66, "LATE": 90},
        [*finished("GOOD", BOOK), *finished("LATE", {number: float(end) for number, end in finishes.items()})],
    )
    build(database, made, END_OF_APRIL, MAPPED)
    assert database.scalars(select(late_order_facts_table.c.step)).all() == [step]


def test_a_promise_may_be_dead_when_it_is_given(database: Connection) -> None:
    # Budgets 8 and 32 h: LATE is in time after step 2 (40 - 8 - 32) and 20 h behind after 9; TIGHT was 10 h short at
    # once.
    made = world({"GOOD": 40, "LATE": 70}, [*finished("GOOD", {2: 8, 11: 40}), *finished("LATE", BOOK)], due=40)
    made["orders"] += [order(order_id="TIGHT", ordered_at=at(0), promised_by=at(30))]
    made["order_lines"] += [order_line(order_id="TIGHT")]
    made["order_events"] += finished("TIGHT", {2: 8, 11: 40})
    build(database, made, END_OF_APRIL, MAPPED)
    died = {
        row.order_id: row.step
        for row in database.execute(select(late_order_facts_table.c.order_id, late_order_facts_table.c.step))
    }
    assert died == {"LATE": "09", "TIGHT": "00"}


def test_budgets_are_the_segments_own_only_with_enough_on_time_orders(database: Connection) -> None:
    """Nineteen on-time orders of segment A take 10 hours, 30 of B take 20: A has too few and takes the median of all,
    20.
    """
    own = {f"A{number}": 50.0 for number in range(19)} | {f"B{number}": 50.0 for number in range(30)}
    events = [event for name in own for event in finished(name, {2: 10.0 if name.startswith("A") else 20.0})]
    build(
        database,
        world(own, events, customers={name: "D" for name in own if name.startswith("B")}),
        END_OF_APRIL,
        MAPPED,
    )
    b = step_budgets_table.c
    found = database.execute(
        select(b.segment, b.step_no, b.budget_seconds, b.orders, b.stands_on).order_by(b.segment)
    ).all()
    assert found == [("A", 2, 20 * 3600, 19, "all"), ("B", 2, 20 * 3600, 30, "segment")]
    own["A19"] = 50.0
    build(
        database,
        world(own, [*events, *finished("A19", {2: 10.0})], customers={n: "D" for n in own if n.startswith("B")}),
        END_OF_APRIL,
        MAPPED,
    )
    assert database.execute(select(b.segment, b.budget_seconds, b.stands_on).order_by(b.segment)).all()[0] == (
        "A",
        10 * 3600,
        "segment",
    )


def stage(connection: Connection, name: str) -> dict[str | None, Any]:
    return {
        one.dimensions["step"]: one.value
        for one in answer(connection, Question((name,), by=("step",)))
        if one.value is not None
    }


def test_stage_time_adds_up_attempts_and_the_wait_begins_at_the_latest_earlier_finish(database: Connection) -> None:
    events = [
        order_event(step=2, event_no=1, started_at=at(1), finished_at=at(3)),
        order_event(step=2, event_no=2, started_at=at(10), finished_at=at(10.5)),
        order_event(step=9, event_no=1, started_at=at(12), finished_at=at(20)),
        order_event(step=10, event_no=1, started_at=at(19), finished_at=at(30)),  # begun before picking was done
        order_event(step=11, event_no=1, started_at=at(40), finished_at=None),
    ]
    build(database, world({"O": 66}, events), END_OF_APRIL, MAPPED)
    assert stage(database, "stage_hours") == {"02": 2.5, "09": 8.0, "10": 11.0}
    assert stage(database, "stage_wait_hours") == {"09": 1.5, "10": 0.0}  # not finished: step 11 is dated by no day yet
    assert answer(database, Question(("stage_hours",)))[0].denominator == 3


def test_stage_percentiles_are_nearest_rank(database: Connection) -> None:
    """Picking takes 1, 2 ... 10 hours: P50 is the 5th, P90 the 9th."""
    events = [order_event(order_id=f"O{took}", step=9, started_at=at(0), finished_at=at(took)) for took in range(1, 11)]
    build(database, world({f"O{took}": 66 for took in range(1, 11)}, events), END_OF_APRIL, MAPPED)
    assert (stage(database, "stage_hours"), stage(database, "stage_hours_p90")) == ({"09": 5.0}, {"09": 9.0})


def test_a_bare_date_is_no_time_in_a_step(database: Connection) -> None:
    events = [
        order_event(step=2, started_at="2026-03-01", finished_at="2026-03-02"),
        order_event(step=9, started_at="2026-03-03T08:00Z", finished_at="2026-03-03T09:00Z"),
    ]
    build(database, world({"O": 66}, events), END_OF_APRIL, MAPPED)
    assert stage(database, "stage_hours") == {"09": 1.0}
    assert stage(database, "stage_wait_hours") == {}


def test_what_finishes_after_as_of_is_still_under_way(database: Connection) -> None:
    events = [
        *finished("A", {2: 10, 9: 20, 13: 30}),
        *finished("B", {2: 10, 9: 20}),
        *finished("C", {2: 10}),
        *finished("D", {2: 10, 9: 40.5}),
    ]
    build(database, world({"A": 25, "B": None, "C": None, "D": None, "E": None}, events), START + 40 * HOUR, MAPPED)
    by = ("step", "standing")
    found = {
        tuple(one.dimensions[name] for name in by): (one.measure, one.value)
        for one in answer(database, Question(("work_in_progress",), by=by))
    }
    assert found == {
        ("09", "waiting after it"): ("work_in_progress", 1),
        ("02", "waiting after it"): ("work_in_progress", 1),
        ("09", "in the step"): ("work_in_progress", 1),
    }
    ages = {one.dimensions["step"]: one.value for one in answer(database, Question(("work_age_hours",), by=("step",)))}
    assert ages == {"02": 30.0, "09": 0.5}  # of 20 and half an hour the first


def test_cancelled_orders_are_not_under_way(database: Connection) -> None:
    made = world({"A": None, "B": None}, [*finished("A", {2: 10}), *finished("B", {2: 10, 9: 20})])
    made["orders"][0] |= {"cancelled_at": datetime(2026, 3, 2), "cancelled_at_is_date": True, "cancelled_by": "seller"}
    build(database, made, END_OF_APRIL, MAPPED)
    assert [one.value for one in answer(database, Question(("work_in_progress",)))] == [
        0
    ]  # B finished the last step anyone has


def test_without_events_the_steps_say_so(database: Connection) -> None:
    build(database, world({"O": 66}, []), END_OF_APRIL, everything())
    for name in ("stage_hours", "work_in_progress", "promise_died", "promises_died"):
        (one,) = answer(database, Question((name,)))
        assert (one.value, one.no_data) == (None, one.no_data)
        assert "order_events" in str(one.no_data)


def test_every_step_has_a_name() -> None:
    assert list(STEPS) == list(range(1, 14))


def test_steps_and_slack_are_what_plain_python_works_out(database: Connection) -> None:
    """Two hundred orders with some of their steps, in two segments; the judge's own slack ledger for every late one."""
    drawn = random.Random(13)
    finishes: dict[str, dict[int, float]] = {}
    arrivals: dict[str, float | None] = {}
    segments = {}
    for number in range(200):
        name, end, ends = f"O{number:03}", 0.0, {}
        for step in range(2, 12):
            if drawn.random() < 0.75:
                end += drawn.randrange(1, 60) / 4
                ends[step] = end
        finishes[name], arrivals[name] = ends, (ends[max(ends)] if ends else 50.0)
        segments[name] = "D" if drawn.random() < 0.15 else "C"
    events = [event for name, ends in finishes.items() for event in finished(name, ends)]
    build(database, world(arrivals, events, due=60, customers=segments), END_OF_APRIL, MAPPED)
    exact = {name: {step: Fraction(end) for step, end in ends.items()} for name, ends in finishes.items()}
    segment = {name: "B" if customer_id == "D" else "A" for name, customer_id in segments.items()}
    on_time = [(segment[name], ends) for name, ends in exact.items() if ends and (arrivals[name] or 0) <= 60]
    expected = defaultdict(int)
    late = [name for name, ends in exact.items() if ends and (arrivals[name] or 0) > 60]
    for name in late:
        told = slack(Fraction(60), exact[name], budgets_of_segment(on_time, segment[name]))
        expected["(none)" if told.died_at is None else f"{told.died_at:02}"] += 1
        found = slack_ledger(database, name)
        assert found is not None
        assert found.died_at == told.died_at
        assert [Fraction(point.slack_seconds, 3600) for point in found.points] == [told.at_order, *told.after.values()]
    assert len(late) > 30
    assert len(expected) > 4
    told = {one.dimensions["step"]: one.value for one in answer(database, Question(("promises_died",), by=("step",)))}
    assert told == {step: (0 if step == "(none)" else count) for step, count in expected.items()}
    shares = {
        one.dimensions["step"]: (one.numerator, one.denominator)
        for one in answer(database, Question(("promise_died",), by=("step",)))
    }
    assert shares == {step: (0 if step == "(none)" else count, len(late)) for step, count in expected.items()}
    w = step_facts_table.c
    waits = {
        row.order_id: row.wait_seconds
        for row in database.execute(select(w.order_id, w.wait_seconds).where(w.step_no == 9))
    }
    for name, seconds in waits.items():
        earlier = [end for step, end in finishes[name].items() if step < 9]
        assert seconds == (max(0, 3600 * (finishes[name][9] - 1 - max(earlier))) if earlier else None)


# ---------------------------------------------------------------- payment


def paid(
    connection: Connection,
    *payments: Row,
    documents: list[Row] | None = None,
    lines: list[Row] | None = None,
    **order_values: Any,
) -> Any:
    """One order of 1 March, delivered on the 5th, billed 500 + 100 tax on the 10th, due on the 31st."""
    made = records(
        orders=[order(**order_values)],
        order_lines=[order_line()],
        shipments=[shipment(shipped_at="2026-03-02", received_at="2026-03-05")],
        shipment_lines=[shipment_line()],
        invoices=[invoice(due_on=date(2026, 3, 31)), *(documents or [])],
        invoice_lines=[invoice_line(), *(lines or [])],
        payments=payments,
    )
    build(connection, made, END_OF_APRIL, MAPPED)
    p = payment_facts_table.c
    return connection.execute(select(p.settled_day, p.kept).where(p.invoice_id == "I1")).one()


def credit(invoice_id: str, amount: str, day: str, **values: Any) -> tuple[Row, Row]:
    """A credit without tax for line 1."""
    header = invoice(invoice_id=invoice_id, invoice_kind="credit", invoiced_at=day, credit_reason="goodwill", **values)
    return header, invoice_line(invoice_id=invoice_id, line_amount=amount, tax_amount="0", billed_qty=None)


def test_an_invoice_is_settled_by_the_payment_that_leaves_nothing_open(database: Connection) -> None:
    full = payment(amount=600, paid_at="2026-03-20")
    assert paid(database, full) == (date(2026, 3, 20), True)
    (one,) = answer(database, Question(("order_to_cash_days",)))
    assert (one.numerator, one.denominator, one.value) == (19, 1, 19.0)
    assert answer(database, Question(("terms_kept_by_buyer",)))[0].numerator == 1
    assert paid(database, payment(amount=500)) == (None, False)  # the tax is owed too
    assert answer(database, Question(("order_to_cash_days",)))[0].value is None
    two = [payment(amount=500, paid_at="2026-03-20"), payment(payment_id="Y2", amount=100, paid_at="2026-04-02")]
    assert paid(database, *two) == (date(2026, 4, 2), False)
    assert paid(database, payment(amount="599.995", paid_at="2026-03-31")) == (
        date(2026, 3, 31),
        True,
    )  # to half a cent, on the last day
    assert paid(database, payment(amount=600, paid_at="2026-05-02")) == (None, False)  # after as_of
    assert paid(database, payment(amount=600, currency="USD")) == (None, False)


def test_credits_and_reversals_leave_less_to_pay(database: Connection) -> None:
    header, line = credit("K1", "100", "2026-03-15")
    assert paid(database, payment(amount=500), documents=[header], lines=[line]) == (date(2026, 3, 20), True)
    named, named_line = credit("K1", "100", "2026-03-25", reverses_invoice_id="I1")
    assert paid(database, payment(amount=500), documents=[named], lines=[named_line]) == (
        date(2026, 3, 25),
        True,
    )  # open until the credit came


def test_an_invoice_taken_back_whole_is_neither_kept_nor_broken(database: Connection) -> None:
    """Reversed and issued again: the order is settled by the second invoice alone."""
    reversal = invoice(invoice_id="R1", invoice_kind="reversal", invoiced_at="2026-03-12", reverses_invoice_id="I1")
    again = invoice(invoice_id="I2", invoiced_at="2026-03-13", due_on=date(2026, 4, 12))
    lines = [invoice_line(invoice_id="R1"), invoice_line(invoice_id="I2")]
    late = payment(invoice_id="I2", amount=600, paid_at="2026-04-10")
    assert paid(database, late, documents=[reversal, again], lines=lines) == (date(2026, 3, 12), None)
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.numerator, terms.denominator) == (1, 1)
    assert database.execute(
        select(cash_facts_table.c.invoices, cash_facts_table.c.cash_day, cash_facts_table.c.cash_days)
    ).one() == (
        1,
        date(2026, 4, 10),
        40,
    )


def test_an_invoice_whose_tax_is_not_known_is_not_known_to_be_settled(database: Connection) -> None:
    assert paid(
        database, payment(amount=600), lines=[invoice_line(invoice_line_no="2", line_amount="0", tax_amount=None)]
    ) == (None, None)
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.denominator, terms.unknown) == (0, 1)


def test_an_order_is_settled_when_its_last_invoice_is(database: Connection) -> None:
    second = invoice(invoice_id="I2", due_on=date(2026, 4, 15))
    lines = [invoice_line(invoice_id="I2", billed_qty=20)]
    payments = [
        payment(amount=600, paid_at="2026-03-20"),
        payment(payment_id="Y2", invoice_id="I2", amount=120, paid_at="2026-03-30"),
    ]
    paid(database, *payments, documents=[second], lines=lines)
    assert answer(database, Question(("order_to_cash_days",)))[0].value == 29.0
    paid(database, *payments[:1], documents=[second], lines=lines)
    assert answer(database, Question(("order_to_cash_days",)))[0].value is None


def test_an_invoice_not_due_yet_is_neither_kept_nor_broken(database: Connection) -> None:
    future = invoice(invoice_id="I2", due_on=date(2026, 5, 15))
    paid(database, documents=[future], lines=[invoice_line(invoice_id="I2")])
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.numerator, terms.denominator) == (0, 1)


def test_orders_that_are_not_sales_bring_no_cash(database: Connection) -> None:
    paid(database, payment(amount=600), order_type="sample")
    assert answer(database, Question(("order_to_cash_days",)))[0].value is None


def test_without_payments_the_measures_say_so(database: Connection) -> None:
    build(database, world({"O": 66}, []), END_OF_APRIL, everything())
    for name in ("order_to_cash_days", "terms_kept_by_buyer"):
        assert answer(database, Question((name,)))[0].no_data == "no feed: payments"


def test_payments_are_what_plain_python_adds_up(database: Connection) -> None:
    """Three hundred invoices with up to three payments and a credit each."""
    drawn = random.Random(500)
    names = [f"I{number:03}" for number in range(300)]
    documents, lines, payments, expected = [], [], [], {}
    for name in names:
        gross, moves = drawn.randrange(100, 1000), []
        documents.append(invoice(invoice_id=name, invoiced_at="2026-03-10", due_on=date(2026, 3, 31)))
        lines.append(invoice_line(invoice_id=name, order_id=name, line_amount=str(gross), tax_amount="0"))
        if drawn.random() < 0.3:
            day, amount = drawn.randrange(10, 59), drawn.randrange(1, gross)
            header, line = credit(f"K{name}", str(amount), f"{(START + timedelta(day - 1)).date()}")
            documents.append(header)
            lines.append(line | {"order_id": name})
            moves.append((day, amount))
        for number in range(drawn.randrange(0, 4)):
            day, amount = drawn.randrange(10, 59), drawn.choice([gross, gross // 2, gross - gross // 2, 1])
            payments.append(
                payment(
                    payment_id=f"{name}{number}",
                    invoice_id=name,
                    amount=amount,
                    paid_at=f"{(START + timedelta(day - 1)).date()}",
                )
            )
            moves.append((day, amount))
        so_far, expected[name] = 0, None
        for day, amount in sorted(moves):
            so_far += amount
            if so_far >= gross and expected[name] is None:
                expected[name] = day
    made = records(
        orders=[order(order_id=name) for name in names],
        order_lines=[order_line(order_id=name) for name in names],
        invoices=documents,
        invoice_lines=lines,
        payments=payments,
    )
    build(database, made, END_OF_APRIL, MAPPED)
    p = payment_facts_table.c
    found = {
        name: None if day is None else (day - date(2026, 2, 28)).days
        for name, day in database.execute(select(p.invoice_id, p.settled_day))
    }
    assert found == expected
    settled = [day for day in expected.values() if day is not None]
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.numerator, terms.denominator) == (sum(day <= 31 for day in settled), len(names))
    (cash,) = answer(database, Question(("order_to_cash_days",)))
    assert (cash.numerator, cash.denominator) == (sum(day - 1 for day in settled), len(settled))
