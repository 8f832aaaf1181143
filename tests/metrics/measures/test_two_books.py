"""Worked cases of the two books, and of a restatement between two generations. Source: section 4 (k)."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import insert

from metrics.errors import GenerationGone
from metrics.facts import two_books
from metrics.facts.two_books import two_books_facts_table
from metrics.measures.two_books import FINE_RATE
from metrics.model.question import Question
from metrics.queries.restatements import FeedDelta, Restated, RestatedKey, compare_generations
from metrics.schema import metadata, restatements, runs
from metrics.warehouse import Location, reading, writing
from tests.support.ask_measures import ALL, AS_OF, built, by, fact_rows, halves, one, only, sale, together
from tests.support.builders import Row, assumption, customer, records
from tests.support.contact_builders import scorecard
from tests.support.sql_facts import build

filled = only(two_books)


def theirs(order_id: str, **values: object) -> dict[str, list[Row]]:
    return {"buyer_scorecards": [scorecard(order_id=order_id, **values)]}


BOOKS = together(
    *[
        sale(name, received="2026-03-09")
        for name in ("same", "day", "quantity", "deadline", "verdict", "unsaid", "missing")
    ],
    sale("late", received="2026-03-12"),
    sale("pending", promised_by="2026-05-05"),
    sale("other customer", received="2026-03-09", customer_id="D"),
    {"customers": [customer(), customer(customer_id="D")]},
    theirs("same"),
    theirs("day", received_at="2026-03-11", received_qty=90, passed=False),
    theirs("quantity", received_qty=90, passed=False),
    theirs("deadline", due_by="2026-03-08", passed=False),
    theirs("verdict", passed=False),
    theirs("unsaid", received_at=None, received_qty=None, passed=None, due_by=None),
    theirs("late", received_at="2026-03-12", passed=False),
    theirs("pending", passed=True),
    theirs("only theirs", received_at="2026-03-20", due_by="2026-03-21"),
    theirs("other customer"),
)


def test_books_matched_is_orders_in_both_books_divided_by_orders_in_either_book() -> None:
    """Both: same, day, quantity, deadline, verdict, unsaid, late. Ours only: missing. Theirs only: two, for the last is
    another customer's order.

    The pending one is in neither count, and customer D sends no scorecards.
    """
    with built(**BOOKS) as connection:
        assert halves(connection, "books_matched") == (7, 10)
        rows = fact_rows(connection, two_books_facts_table, "order_id")
        assert {name for name, row in rows.items() if not row["theirs"]} == {"missing"}
        assert {name for name, row in rows.items() if not row["ours"]} == {"only theirs", "other customer"}
        assert (rows["only theirs"]["due_day"], rows["only theirs"]["segment"]) == (date(2026, 3, 21), "A")


def test_books_agree_compares_only_orders_with_both_verdicts_known() -> None:
    """Same and late agree; day, quantity, deadline and verdict do not; unsaid is not known."""
    with built(**BOOKS) as connection:
        found = one(connection, "books_agree")
        assert (found.numerator, found.denominator, found.unknown) == (2, 6, 1)


def test_cause_of_a_dispute_is_the_first_difference_between_the_books() -> None:
    with built(**BOOKS) as connection:
        causes = {
            name: row["cause"]
            for name, row in fact_rows(connection, two_books_facts_table, "order_id").items()
            if row["cause"]
        }
        assert causes == {"day": "receipt_day", "quantity": "quantity", "deadline": "deadline", "verdict": "verdict"}
        assert one(connection, "books_dispute").value == 4
        disputes = {cause: value for cause, (value, _) in by(connection, "books_dispute", "cause").items()}
        assert disputes == {"receipt_day": 1, "quantity": 1, "deadline": 1, "verdict": 1, None: 0}
        evidence = fact_rows(connection, two_books_facts_table, "order_id")["day"]
        assert (evidence["our_receipt_day"], evidence["their_receipt_day"]) == (date(2026, 3, 9), date(2026, 3, 11))
        assert (evidence["our_qty"], evidence["their_qty"]) == (Decimal(100), Decimal(90))


def test_value_of_orders_that_failed_in_the_buyers_book() -> None:
    """At 5.00: day late 500; quantity in time but 10 short 50; deadline of the 8th missed 500; verdict, no reason
    given, 500; late 500.

    All but the late one are disputed.
    """
    with built(**BOOKS) as connection:
        assert one(connection, "failed_value_by_buyer").value == Decimal(2050)
        assert one(connection, "failed_value_disputed").value == Decimal(1550)


def test_fine_at_stake_requires_a_fine_rate_and_the_customer_rate_takes_precedence() -> None:
    with built(**BOOKS) as connection:
        assert one(connection, "fine_at_stake").no_data == "no data: no fine agreed (assume fine_rate)"
    everyone = assumption(assumption=FINE_RATE, assumed_value="0.03")
    with built(**BOOKS, assumptions=[everyone]) as connection:
        assert one(connection, "fine_at_stake").value == Decimal("61.50")
        assert one(connection, "fine_disputed").value == Decimal("46.50")
        fines = {cause: value for cause, (value, _) in by(connection, "fine_at_stake", "cause").items()}
        assert fines == {"receipt_day": 15, "quantity": Decimal("1.5"), "deadline": 15, "verdict": 15, None: 15}
    own = assumption(assumption=FINE_RATE, scope="customer:C", assumed_value="0.05")
    segment = assumption(assumption=FINE_RATE, scope="segment:A", assumed_value="0.01")
    with built(**BOOKS, assumptions=[everyone, segment, own]) as connection:
        assert one(connection, "fine_at_stake").value == Decimal("102.50")
    with built(**BOOKS, assumptions=[everyone, segment]) as connection:
        assert one(connection, "fine_at_stake").value == Decimal("20.50")


def test_two_books_measures_name_the_missing_scorecards_feed() -> None:
    core = frozenset(name for name in ALL if not name.startswith("buyer_scorecards."))
    with built(mapped=core, **sale("O")) as connection:
        for measure in ("books_matched", "books_agree", "books_dispute", "fine_at_stake"):
            assert (one(connection, measure).value, one(connection, measure).no_data) == (
                None,
                "no feed: buyer_scorecards",
            )


def publish(location: Location, number: int, *parts: dict[str, list[Row]]) -> None:
    """Publish these records as the next generation, by a run of that number."""
    with writing(location) as found:
        metadata.create_all(found.connection)
        build(found.connection, records(**together(*parts)), AS_OF, ALL)
        run = {
            "run_id": number,
            "source": "test",
            "started_at": AS_OF,
            "outcome": "published",
            "data_as_of_declared": True,
            "generation": number,
        }
        found.connection.execute(insert(runs).values(run))
        if number == 2:
            changed = {"run_id": 2, "feed": "shipments", "key": '["late"]', "why": "correction"}
            found.connection.execute(insert(restatements).values(changed | {"before": '{"a": 1}', "after": '{"a": 2}'}))
        found.publish()


def compared(
    location: Location, question: Question, older: int
) -> tuple[list[Restated], list[RestatedKey], list[FeedDelta]]:
    with reading(location) as connection:
        return compare_generations(connection, location, question, older)


def test_comparison_of_two_data_versions_lists_the_restated_records(location: Location) -> None:
    """One of two on time; then the second receipt is corrected from the 12th to the 9th: 50 % became 100 %, by one
    record.
    """
    publish(location, 1, sale("good", received="2026-03-09"), sale("late", received="2026-03-12"))
    publish(location, 2, sale("good", received="2026-03-09"), sale("late", received="2026-03-09", channel="web"))
    ((found,), keys, brought) = compared(location, Question(("on_time",)), 1)
    assert found.then is not None
    assert found.now is not None
    assert [(one.numerator, one.denominator) for one in (found.then, found.now)] == [(1, 2), (2, 2)]
    assert found.change == 0.5
    assert keys == [RestatedKey(2, "shipments", '["late"]', '{"a": 1}', '{"a": 2}', "correction")]
    assert brought == []
    by_channel = {
        one.dimensions["channel"]: one for one in compared(location, Question(("orders",), by=("channel",)), 1)[0]
    }
    assert (by_channel["web"].then, by_channel["web"].change) == (None, None)
    assert by_channel["(none)"].change == -1
    assert compared(location, Question(("on_time",)), 2)[1] == []
    with pytest.raises(GenerationGone):
        compared(location, Question(("on_time",)), 7)


def test_scorecard_receipt_after_as_of_is_ignored() -> None:
    with built(
        datetime(2026, 3, 11),
        **together(sale("O", received="2026-03-09"), theirs("O", received_at="2026-03-12", passed=True)),
    ) as connection:
        row = fact_rows(connection, two_books_facts_table, "order_id")["O"]
        assert (row["their_receipt_day"], row["cause"]) == (None, None)
