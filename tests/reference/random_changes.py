"""Random changes of an order: promises, restated quantities, returns, holds, steps, service cases and demand."""

from datetime import datetime, timedelta
from decimal import Decimal

from tests.reference.draws import pick
from tests.reference.random_documents import OrderDraft
from tests.support.builders import Row, hold, order_event, promise, restated_quantity
from tests.support.contact_builders import returned, service_case, stockout


def some_promises(draft: OrderDraft, line: Row) -> list[Row]:
    """Return random changes of a line's promise, before and after its deadlines.

    Revision numbers do not always follow the times.
    """
    draw = draft.draw
    return [
        promise(
            order_id=draft.order_id,
            line_no=line["line_no"],
            revision_no=number,
            promised_by=draft.moment(0, 1, 1, 2, 3),
            changed_at=draft.moment(-2, -1, 0, 0, 1, 1, 2, 4),
            changed_by=pick(draw, "buyer", "buyer", "buyer", "seller", "seller", None),
            deleted=draft.deleted(),
        )
        for number in range(1, pick(draw, 0, 0, 1, 2, 3) + 1)
    ]


def some_restatements(draft: OrderDraft, line: Row) -> list[Row]:
    """Return random restatements that end at the line's ordered quantity."""
    draw = draft.draw
    steps = pick(draw, 0, 0, 0, 0, 1, 2)
    quantities = [Decimal(pick(draw, "5", "9.5", "10", "11", "120", "2")) for _ in range(steps)] + [line["ordered_qty"]]
    days = sorted(draft.middle + timedelta(days=pick(draw, -1, 0, 0, 1, 2)) for _ in range(steps))
    known_at = [datetime.combine(day, datetime.min.time()) + timedelta(hours=pick(draw, 0, 4, 12, 23)) for day in days]
    changes = [
        restated_quantity(
            order_id=draft.order_id,
            line_no=line["line_no"],
            run_id=number + 2,
            data_as_of=at,
            before_qty=quantities[number],
            after_qty=quantities[number + 1],
        )
        for number, at in enumerate(sorted(known_at))
    ]
    for number, row in enumerate(changes):
        if pick(draw, True, False):  # a version with its place, which may differ from the order of arrival
            place = pick(draw, None, draft.middle, draft.middle + timedelta(days=1))
            row |= {
                "source_updated_at": None if place is None else datetime.combine(place, datetime.min.time()),
                "deleted": pick(draw, False, False, False, True),
                "file_id": pick(draw, 1, 2, 3),
                "row_no": number,
            }
    return changes


def some_returns(draft: OrderDraft, line: Row) -> list[Row]:
    """Return random returns of the line's goods, for any reason, before or after `as_of`."""
    draw = draft.draw
    reasons = (
        "not_wanted",
        "not_wanted",
        "damage",
        "defect",
        "wrong_item",
        "wrong_place",
        "wrong_quantity",
        "other",
        None,
    )
    return [
        returned(
            return_id=f"{draft.order_id}-R{number}",
            return_line_no=line["line_no"],
            order_id=draft.order_id,
            line_no=line["line_no"],
            returned_qty=pick(draw, line["ordered_qty"], line["ordered_qty"] / 2, Decimal(1), Decimal("0.5")),
            reason=pick(draw, *reasons),
            announced_at=draft.moment(0, 1, 2, 3, 5, 9),
            deleted=draft.deleted(),
        )
        for number in range(1, pick(draw, 0, 0, 0, 1, 2) + 1)
    ]


def what_happened(draft: OrderDraft) -> dict[str, list[Row]]:
    """Return random holds, order events and service cases of the order, and demand around its day."""
    draw = draft.draw
    holds = [
        hold(
            hold_id=f"{draft.order_id}-H{number}",
            order_id=draft.order_id,
            kind=pick(draw, "credit", "data", "stock", "other"),
            placed_at=draft.moment(-2, -1, 0),
            released_at=draft.maybe(2, 0, 1, 2),
            caused_by=pick(draw, "buyer", "seller", None),
        )
        for number in range(1, pick(draw, 0, 0, 1, 2) + 1)
    ]
    events = [
        order_event(
            order_id=draft.order_id,
            step=step,
            event_no=number,
            started_at=draft.maybe(2, -2, -1, 0, 1),
            finished_at=draft.maybe(2, -1, 0, 1, 2),
        )
        for step in (2, 10, 11)
        for number in range(1, pick(draw, 0, 1, 2) + 1)
    ]
    cases = [
        service_case(
            case_id=f"{draft.order_id}-Z{number}",
            order_id=draft.order_id,
            customer_id=None,
            kind=pick(draw, "sudden_change", "sudden_change", "complaint"),
            opened_at=draft.moment(-1, 0, 1, 2),
        )
        for number in range(1, pick(draw, 0, 0, 1) + 1)
    ]
    demand = [
        stockout(
            stockout_id=f"{draft.order_id}-D{number}",
            customer_id=pick(draw, "C1", "C2", "C3", "nobody"),
            product_id=pick(draw, "P", "K", "E", None),
            wanted_qty=pick(draw, Decimal(10), Decimal("0.5"), None),
            wanted_at=draft.moment(-9, -3, -2, -1, 0, 2, 9),
            outcome=pick(draw, None, None, "buyer_lost", "buyer_lost", "sale_lost", "waited", "back_ordered"),
            deleted=draft.deleted(),
        )
        for number in range(1, pick(draw, 0, 0, 1) + 1)
    ]
    return {"holds": holds, "order_events": events, "service_cases": cases, "stockouts": demand}
