"""Worked cases of post-sale support and returns. Source: section 4 (h), R22, R30."""

from datetime import date, datetime
from decimal import Decimal

from metrics.facts import returns, service_cases
from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.support.ask_measures import ALL, built, by, halves, one, only, sale, together
from tests.support.builders import Row, order_line, shipment_line
from tests.support.contact_builders import returned, service_case

filled = only(service_cases, returns)


def raised(case_id: str, kind: str, resolved: str | None) -> Row:
    return service_case(case_id=case_id, kind=kind, opened_at="2026-03-12T09:00Z", resolved_at=resolved)


CASES = [
    raised("a", "question", "2026-03-12T10:00Z"),
    raised("b", "parts_request", "2026-03-12T13:00Z"),
    raised("c", "complaint", "2026-03-14T09:00Z"),
    raised("d", "complaint", None),
    raised("e", "special_request", "2026-03-12T09:30Z"),
]


def test_post_sale_support_is_settled_cases_divided_by_raised_cases() -> None:
    with built(**sale("O"), service_cases=CASES) as connection:
        assert halves(connection, "post_sale_support") == (3, 4)
        assert by(connection, "post_sale_support", "case_kind") == {
            "question": (1, 1), "parts_request": (1, 1), "complaint": (1, 2), "special_request": (0, 0),
        }  # fmt: skip


def test_r30_post_sale_hours_include_the_open_case_as_censored() -> None:
    """1, 4 and 48 hours, one open: S is 0.75, 0.5, 0.25: P50 is 4 h, and P90 is not reached."""
    with built(**sale("O"), service_cases=CASES) as connection:
        found = one(connection, "post_sale_hours_p50")
        assert (found.value, found.numerator, found.denominator) == (4.0, 3, 4)
        assert one(connection, "post_sale_hours_p90").no_data == "not reached: too many are still open"
        assert (
            one(connection, "post_sale_hours_p90", where=(("case_kind", ("question", "parts_request")),)).value == 4.0
        )


RETURNED = together(
    sale("A", received="2026-03-09", channel="edi"),
    sale("B", received="2026-04-09", channel="web", promised_by="2026-04-10"),
    sale("Z", received="2026-03-09", channel="phone"),
    {
        "returns": [
            returned(
                return_id="1",
                order_id="A",
                returned_qty=10,
                reason="damage",
                announced_at="2026-03-12",
                credited_at="2026-03-14",
            ),
            returned(
                return_id="2",
                order_id="A",
                returned_qty=5,
                reason="not_wanted",
                announced_at="2026-03-12",
                credited_at="2026-03-16",
            ),
            returned(return_id="3", order_id="B", returned_qty=25, reason="damage", announced_at="2026-04-25"),
            returned(return_id="4", order_id="B", returned_qty=25, reason="damage", announced_at="2026-05-02"),
            returned(return_id="5", order_id="nobody's", returned_qty=25, announced_at="2026-04-25"),
        ]
    },
)


def test_return_share_is_returned_units_divided_by_received_units_of_the_same_orders() -> None:
    """Received 300, announced as returned by as_of 10 + 5 + 25. One return is of May, one names an unknown order."""
    with built(**RETURNED) as connection:
        found = one(connection, "return_share")
        assert (found.numerator, found.denominator, found.value) == (40, 300, 40 / 300)
        assert by(connection, "return_share", "channel") == {"edi": (15, 100), "web": (25, 100), "phone": (0, 100)}
        assert halves(connection, "return_share", start=date(2026, 4, 1)) == (25, 100)
        months = answer(connection, Question(("return_share",), grain="month"))
        assert [(one.period, one.numerator, one.denominator) for one in months] == [
            (date(2026, 3, 1), 15, 200),
            (date(2026, 4, 1), 25, 100),
        ]


def test_return_share_by_reason_divides_by_all_received_units() -> None:
    with built(**RETURNED) as connection:
        assert by(connection, "return_share", "return_reason") == {"damage": (35, 300), "not_wanted": (5, 300)}
        found = answer(connection, Question(("return_share",), by=("channel", "return_reason")))
        shares = {(one.dimensions["channel"], one.dimensions["return_reason"]): one.value for one in found}
        assert shares == {("edi", "damage"): 0.10, ("edi", "not_wanted"): 0.05, ("web", "damage"): 0.25}
        assert halves(connection, "return_share", where=(("return_reason", ("damage",)),)) == (35, 300)


def test_return_handling_counts_a_return_once_and_censors_uncredited_returns() -> None:
    """Credited after 2 and 4 days, open for 5: S is 2/3 at 2 days, 1/3 at 4. P50 is 4 days, P90 is not reached."""
    with built(**RETURNED) as connection:
        found = one(connection, "return_handling_p50")
        assert (found.value, found.numerator, found.denominator) == (4, 2, 3)
        assert one(connection, "return_handling_p90").no_data == "not reached: too many are still open"
        assert one(connection, "return_handling_p90", where=(("channel", ("edi",)),)).value == 4


def test_a_return_of_two_lines_is_one_return_credited_with_its_last() -> None:
    two = together(
        sale("O", received="2026-03-09"),
        {
            "order_lines": [order_line(line_no="2", product_id="Q")],
            "shipment_lines": [shipment_line(shipment_id="O", shipment_line_no="2", line_no="2", product_id="Q")],
            "returns": [
                returned(returned_qty=1, announced_at="2026-03-12", credited_at="2026-03-13"),
                returned(
                    returned_qty=2, return_line_no="2", line_no="2", announced_at="2026-03-12", credited_at="2026-03-20"
                ),
            ],
        },
    )
    with built(**two) as connection:
        found = one(connection, "return_handling_p50")
        assert (found.value, found.denominator) == (8, 1)
        assert halves(connection, "return_share") == (3, 200)
    with built(datetime(2026, 3, 15, 12), **two) as connection:
        assert one(connection, "return_handling_p50").no_data == "not reached: too many are still open"


def test_return_measures_name_the_missing_returns_feed() -> None:
    core = frozenset(name for name in ALL if not name.startswith("returns."))
    with built(mapped=core, **sale("O", received="2026-03-09")) as connection:
        for measure in ("return_share", "returned_units", "return_handling_p50"):
            assert (one(connection, measure).value, one(connection, measure).no_data) == (None, "no feed: returns")


def test_returned_units_are_an_exact_decimal() -> None:
    with built(**RETURNED) as connection:
        assert one(connection, "returned_units").value == Decimal(40)
