"""Verdict codes that receipts decide: timing, accuracy, damage."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, FromClause, and_, case, cast, literal, or_

from metrics.policy import CODE, FIRST_UNKNOWN, OpenBalance, Policy, Timing
from metrics.schema import QTY
from metrics.sql.dialects import Columns, Expression, least_code

CASES = ("when_shipped", "now", "never", "in_time")
"""Assumed arrival of all unproven shipments. `in_time`: at the deadline if it left by then, else never."""


def four_cases(lines: FromClause, *, policy: Policy, as_of: datetime) -> list[Expression]:
    """Return the columns `on_time_<case>` and `complete_<case>`: the codes of both verdicts in each of CASES.

    Null is true (policy.CODES). lines: owed lines with their receipts, `enough_above` (quantity to exceed) and
    `still_wanted_qty` (quantity not cancelled).
    """
    c = lines.c
    none_n, none_q = literal(0, BigInteger), cast(literal(0), QTY)
    in_time_now = c.deadline_at >= literal(as_of, DateTime)
    all_in_time = case((in_time_now, c.unproven_qty), else_=none_q)
    all_late = case((in_time_now, none_n), else_=c.unproven_n)
    perhaps_left_late = c.unproven_n - c.maybe_left_in_time_n
    surely_not_left = c.unproven_n - c.left_in_time_n
    # The unproven in each case: quantity, certain and possible quantity in time, number, late, possibly late, early,
    # possibly early.
    unproven = (
        (
            c.unproven_qty, c.left_in_time_qty, c.maybe_left_in_time_qty, c.unproven_n,
            perhaps_left_late, surely_not_left, c.left_early_n, c.maybe_left_early_n,
        ),
        (c.unproven_qty, all_in_time, all_in_time, c.unproven_n, all_late, all_late, none_n, none_n),
        (none_q, none_q, none_q, none_n, none_n, none_n, none_n, none_n),
        (
            c.maybe_left_in_time_qty, c.left_in_time_qty, c.maybe_left_in_time_qty, c.maybe_left_in_time_n,
            none_n, c.maybe_left_in_time_n - c.left_in_time_n, none_n, none_n,
        ),
    )  # fmt: skip
    on_time = [
        _on_time_code(c, arrived, policy).label(f"on_time_{name}")
        for name, arrived in zip(CASES, unproven, strict=True)
    ]
    complete = [
        case((c.counted_qty + arrived[0] > c.enough_above, None), else_=literal(CODE["short"])).label(
            f"complete_{name}"
        )
        for name, arrived in zip(CASES, unproven, strict=True)
    ]
    return [*on_time, *complete]


def timing_codes(lines: FromClause) -> tuple[Expression, Expression, Expression]:
    """Return the codes of on_time, complete and otif: the common result of the four cases, else unknown.

    lines: with the columns of `four_cases`.
    """
    c = lines.c
    no_anchor = literal(CODE["no_anchor"])

    def agreed(codes: Sequence[Expression]) -> Expression:
        return case(
            (c.unproven_n == 0, codes[CASES.index("never")]), else_=_four_equal(codes, literal(CODE["no_evidence"]))
        )

    times = [c[f"on_time_{name}"] for name in CASES]
    wholes = [c[f"complete_{name}"] for name in CASES]
    both = [least_code(time, whole) for time, whole in zip(times, wholes, strict=True)]
    complete = agreed(wholes)
    undated = c.deadline_at.is_(None)
    otif = case(
        (undated, case((complete == CODE["short"], literal(CODE["short"])), else_=no_anchor)), else_=agreed(both)
    )
    return case((undated, no_anchor), else_=agreed(times)), complete, otif


def _on_time_code(r: Columns, unproven: tuple[Expression, ...], policy: Policy) -> Expression:
    """Return the code of on_time in one of the four cases. Source: docs/judgement.md, On time."""
    quantity, sure, maybe, number, late, maybe_late, early, maybe_early = unproven
    total, enough_above = r.counted_qty + quantity, r.enough_above
    is_late, unknown = literal(CODE["late"]), literal(CODE["no_evidence"])
    in_time = case(
        (r.in_time_qty + sure > enough_above, None),
        (r.maybe_in_time_qty + maybe <= enough_above, is_late),
        else_=unknown,
    )
    still_open = (
        [(total <= r.still_wanted_qty - r.half_step, is_late)] if policy.open_balance is OpenBalance.LATE else []
    )
    code = case(
        (total > enough_above, in_time),
        (r.counted_n + number == 0, literal(CODE["never_received"])),
        (r.late_n + late > 0, is_late),
        *still_open,
        (r.maybe_late_n + maybe_late > 0, unknown),
        else_=None,
    )
    if policy.timing is Timing.DEADLINE:
        return code
    too_early = case(
        (r.early_n + early > 0, literal(CODE["too_early"])), (r.maybe_early_n + maybe_early > 0, unknown), else_=None
    )
    return least_code(code, too_early)


def _four_equal(codes: Sequence[Expression], unknown: Expression) -> Expression:
    """Return the common verdict of four codes, else unknown.

    Codes with different reasons for false are all false. The result has the first reason in the list.
    """
    kinds = [case((code.is_(None), 1), (code < FIRST_UNKNOWN, 0), else_=2) for code in codes]
    same = and_(*[kinds[0] == kind for kind in kinds[1:]])
    return case((same, least_code(*codes)), else_=unknown)


def accuracy_codes(lines: FromClause) -> dict[str, Expression]:
    """Return the codes of the parts of filled_accurately (item, place, overage) of a line with receipts.

    Overage fails at the receipt that exceeds the owed quantity. A later return does not heal it. Source: R9
    (over-delivery), R19 (substitutes), R20 (wrong item or place), R22 (returns); docs/judgement.md.
    """
    c = lines.c
    sent_back, unknown = literal(CODE["returned_wrong"]), literal(CODE["no_evidence"])
    reason_unknown = c.returned_unknown_n > 0
    return {
        "item_ok": case(
            (c.wrong_item_n > 0, literal(CODE["wrong_item"])),
            (c.returned_item_n > 0, sent_back),
            (or_(c.item_unknown_n > 0, reason_unknown), unknown),
            else_=None,
        ),
        "place_ok": case(
            (c.wrong_place_n > 0, literal(CODE["wrong_place"])),
            (c.returned_place_n > 0, sent_back),
            (or_(c.place_unknown_n > 0, reason_unknown), unknown),
            else_=None,
        ),
        "overage_ok": case(
            (c.most_held_qty >= c.too_much, literal(CODE["over_shipped"])),
            (c.returned_quantity_n > 0, sent_back),
            (or_(c.most_held_unproven_qty >= c.too_much, reason_unknown), unknown),
            else_=None,
        ),
    }


def damage_code(lines: FromClause, damage_credits: Expression) -> Expression:
    """Return the code of damage_free of a line with receipts. Source: R21 (damage), R22 (returns)."""
    c = lines.c
    return case(
        (c.damaged_qty > 0, literal(CODE["damaged"])),
        (damage_credits > 0, literal(CODE["damage_credit"])),
        (c.returned_damaged_n > 0, literal(CODE["returned_damaged"])),
        (or_(c.damage_unknown_n > 0, c.returned_unknown_n > 0), literal(CODE["no_evidence"])),
        else_=None,
    )
