"""Worked cases of responsiveness and information. Source: section 4 (h), R30."""

from datetime import datetime

from metrics.facts import messages, service_cases
from tests.support.ask_measures import ALL, built, by, halves, one, only, sale
from tests.support.builders import Row
from tests.support.contact_builders import message, service_case

filled = only(service_cases, messages)


def wish(case_id: str, opened: str, resolved: str | None = None, **values: object) -> Row:
    return service_case(
        **({"case_id": case_id, "kind": "special_request", "opened_at": opened, "resolved_at": resolved} | values)
    )


def test_responsiveness_is_granted_and_settled_requests_divided_by_decided_requests() -> None:
    """Decided: a, b, c, d. Granted and settled: a, b. c is granted but open, d refused; e undecided, f no wish."""
    cases = [
        wish("a", "2026-03-02T10:00Z", "2026-03-03T10:00Z", granted=True),
        wish("b", "2026-03-02T10:00Z", "2026-03-03T10:00Z", granted=True, kind="sudden_change"),
        wish("c", "2026-03-02T10:00Z", granted=True),
        wish("d", "2026-03-02T10:00Z", "2026-03-03T10:00Z", granted=False),
        wish("e", "2026-03-02T10:00Z"),
        wish("f", "2026-03-02T10:00Z", "2026-03-03T10:00Z", granted=True, kind="complaint"),
    ]
    with built(**sale("O"), service_cases=cases) as connection:
        assert halves(connection, "responsiveness") == (2, 4)
        assert by(connection, "responsiveness", "case_kind") == {
            "special_request": (1, 3),
            "sudden_change": (1, 1),
            "complaint": (0, 0),
        }


def test_a_case_settled_after_as_of_was_neither_settled_nor_decided() -> None:
    cases = [
        wish("a", "2026-03-02T10:00Z", "2026-03-09T10:00Z", granted=True),
        wish("b", "2026-03-09T10:00Z", granted=True),
    ]
    with built(datetime(2026, 3, 5), **sale("O"), service_cases=cases) as connection:
        found = one(connection, "responsiveness")
        assert (found.value, found.denominator) == (None, 0)


def test_r30_hours_to_settle_include_open_requests_as_censored() -> None:
    """Settled after 2 and 4 days, open for 5 and 5: S falls to 0.75 at 48 h and to 0.5 at 96 h. Settled only would say
    48 h.
    """
    as_of = datetime(2026, 3, 10, 10)
    cases = [
        wish("a", "2026-03-02T10:00Z", "2026-03-04T10:00Z"),
        wish("b", "2026-03-02T10:00Z", "2026-03-06T10:00Z"),
        wish("c", "2026-03-05T10:00Z"),
        wish("d", "2026-03-05T10:00Z", "2026-03-12T10:00Z"),
    ]
    with built(as_of, **sale("O"), service_cases=cases) as connection:
        found = one(connection, "responsiveness_hours")
        assert (found.value, found.numerator, found.denominator) == (96.0, 2, 4)
    with built(as_of, **sale("O"), service_cases=cases[2:]) as connection:
        assert one(connection, "responsiveness_hours").no_data == "not reached: too many are still open"


def test_request_raised_on_a_bare_date_and_settled_that_day_takes_zero_hours() -> None:
    with built(**sale("O"), service_cases=[wish("a", "2026-03-02", "2026-03-02T10:00Z")]) as connection:
        assert one(connection, "responsiveness_hours").value == 0


def test_information_timely_over_all_phases_and_accurate_where_known() -> None:
    """Due: a, b, c, d; in time a, b, c. Told: a, b, c and e (nothing due); right a and e, wrong b, not known c."""
    due = "2026-03-05T12:00Z"
    messages = [
        message(message_id="a", due_at=due, sent_at=due, correct=True, phase="pre"),
        message(message_id="b", due_at=due, sent_at=due, correct=False, phase="during"),
        message(message_id="c", due_at=due, sent_at=due, correct=None, phase="post"),
        message(message_id="d", due_at=due, sent_at=None, correct=None),
        message(message_id="e", due_at=None, sent_at=due, correct=True),
        message(message_id="f", due_at="2026-05-05T12:00Z", sent_at=due, correct=False),
    ]
    with built(**sale("O"), messages=messages) as connection:
        assert halves(connection, "info_timely") == (3, 4)
        found = one(connection, "info_accurate")
        assert (found.numerator, found.denominator, found.unknown) == (2, 3, 1)
        assert found.coverage == 3 / 4
    with built(mapped=ALL - {"messages.correct"}, **sale("O"), messages=messages) as connection:
        assert one(connection, "info_accurate").no_data == "no data: correct (map messages.correct)"
