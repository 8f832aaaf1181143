"""Policy diff: the orders that flip between two policies, and the rule that flips each. Worked by hand."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from metrics.policy import STRICT, Anchor, Policy
from metrics.queries.policy_diff import COMBINED, changed_keys, policy_diff
from metrics.queries.what_if import View
from tests.metrics.queries.test_answer import customers, history, of, publish, together
from tests.support.ask_measures import only
from tests.support.builders import everything
from tests.support.engines import memory

filled = only()


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """Six orders of 100 promised on 10 March: a good one, one a day late, one early, one short by 1, one a day late and
    short by 1, one unproven.
    """
    engine = memory()
    with engine.connect() as opened:
        short, both = history(3, came="2026-03-09"), history(4, came="2026-03-11")
        for one in (short, both):
            one["shipment_lines"][0]["shipped_qty"] = Decimal(99)
        histories = (
            history(0, came="2026-03-10"),
            history(1, came="2026-03-11"),
            history(2, came="2026-03-09"),
            short,
            both,
            history(5, came=None),
        )
        publish(opened, together(*histories))
        yield opened
    engine.dispose()


def flips(connection: Connection, other: Policy, **rest: object) -> dict[str, tuple[bool | None, bool | None, str]]:
    return {one.order_id: (one.before, one.after, one.rule) for one in policy_diff(connection, other, **rest).flips}  # type: ignore[arg-type]


def test_one_day_of_tolerance_flips_the_order_that_is_one_day_late(connection: Connection) -> None:
    found = policy_diff(connection, Policy(late_tolerance_days=1))
    assert [
        (one.order_id, one.before, one.after, one.rule, one.reason_before, one.reason_after) for one in found.flips
    ] == [("O1", False, True, "late_tolerance_days", "late", None)]
    assert (found.judged, found.only_first, found.only_other) == (6, 0, 0)
    assert (found.numerators, found.denominators) == ((2, 3), (5, 5))
    assert found.counts == {(True, True): 2, (False, True): 1, (False, False): 2, (None, None): 1}


def test_window_timing_fails_early_orders_and_does_not_change_unknown_orders(connection: Connection) -> None:
    assert flips(connection, Policy(timing="WINDOW"), verdict="on_time") == {
        "O2": (True, False, "timing"),
        "O3": (True, False, "timing"),
    }  # type: ignore[arg-type]


def test_flip_names_the_policy_key_that_alone_causes_it(connection: Connection) -> None:
    other = Policy(late_tolerance_days=1, under_tolerance_share=Decimal("0.01"))
    assert changed_keys(STRICT, other) == ("late_tolerance_days", "under_tolerance_share")
    assert flips(connection, other) == {
        "O1": (False, True, "late_tolerance_days"),
        "O3": (False, True, "under_tolerance_share"),
        "O4": (False, True, COMBINED),
    }


def test_gained_minus_lost_flips_equal_the_difference_of_the_numerators(connection: Connection) -> None:
    found = policy_diff(connection, Policy(timing="WINDOW", late_tolerance_days=1))  # type: ignore[arg-type]
    gained = sum(one.before is False and one.after is True for one in found.flips)
    lost = sum(one.before is True and one.after is False for one in found.flips)
    assert (gained, lost) == (1, 1)
    assert gained - lost == found.numerators[1] - found.numerators[0] == 0


def test_policy_diff_compares_two_policies_that_are_not_strict(connection: Connection) -> None:
    found = policy_diff(
        connection,
        Policy(late_tolerance_days=1),
        first=Policy(late_tolerance_days=1, under_tolerance_share=Decimal("0.01")),
    )
    assert {one.order_id: (one.before, one.after) for one in found.flips} == {"O3": (True, False), "O4": (True, False)}


def test_policy_diff_uses_only_the_orders_in_view(connection: Connection) -> None:
    assert policy_diff(connection, Policy(late_tolerance_days=1), view=View(where=customers("nobody"))).judged == 0


@pytest.mark.parametrize(
    ("lacking", "other", "words"),
    [
        ("requested_by", Policy(anchor=Anchor.REQUESTED), "no data: requested_by"),
        ("promised_by", Policy(late_tolerance_days=1), "no data: promised_by"),
    ],
)
def test_policy_diff_has_no_data_if_an_anchor_date_is_not_mapped(lacking: str, other: Policy, words: str) -> None:
    """N25: one good order, and the date of one policy is not mapped. Nothing is judged under both, nothing flips."""
    engine = memory()
    with engine.connect() as opened:
        publish(opened, history(0), mapped=frozenset(one for one in everything() if not one.endswith(f".{lacking}")))
        for verdict in ("on_time", "otif", "perfect_order"):
            found = policy_diff(opened, other, verdict=verdict)
            assert (found.no_data, found.judged, found.flips) == (words, 0, [])
    engine.dispose()


def test_orders_that_become_unknown_are_counted_but_are_not_flips() -> None:
    """N25: two good orders, one with a requested date. By the request 1 of 1, and the other became unknown."""
    engine = memory()
    with engine.connect() as opened:
        two = of("two orders", history(0, requested_by="2026-03-10"), history(1))
        publish(opened, together(two, of("one order", history(2))))
        other = Policy(anchor=Anchor.REQUESTED)
        found = policy_diff(opened, other, view=View(where=customers("two orders")))
        assert (found.flips, found.no_data) == ([], None)
        assert (found.numerators, found.denominators, found.unknown) == ((2, 1), (2, 1), (0, 1))
        assert (found.judged, found.became_unknown) == (2, 1)
        found = policy_diff(opened, other, view=View(where=customers("one order")))
        assert found.no_data == "no data: under the other policy every verdict is unknown"
    engine.dispose()


def test_unknown_verdict_is_refused(connection: Connection) -> None:
    with pytest.raises(ValueError, match="use one of on_time"):
        policy_diff(connection, STRICT, verdict="fast")
