"""The worked examples of the rules (R1 to R40) about verdicts and quantities of an order, as data.

Both the reference implementation (tests/reference/test_reference_rules.py) and the SQL are compared with them. Days are
of March 2026, the zone is UTC and `as_of` is the end of 30 April 2026, unless a case sets others. The numbers are those
of docs/rules.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.reference.inputs import Policy
from tests.reference.random_orders import DOCUMENTS, prefixed
from tests.support.builders import (
    Records,
    Row,
    everything,
    invoice,
    invoice_line,
    order,
    order_line,
    product,
    promise,
    records,
    restated_quantity,
    shipment,
    shipment_line,
    unit_factor,
)
from tests.support.builders import customer as customer_version
from tests.support.contact_builders import returned

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999999)
T, F, U = True, False, None


@dataclass(frozen=True)
class Case:
    """A worked example: records, the inputs of the judgement, and the expected columns.

    orders: order_id to {column of order_facts: value}. lines: (order_id, line_no) to {column of order_line_facts:
    value}.
    """

    name: str
    records: Records
    orders: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    policy: Policy = field(default_factory=dict)
    as_of: datetime = END_OF_APRIL
    mapped: frozenset[str] = field(default_factory=everything)


def day(number: int) -> str:
    """Return a bare date of March 2026. Numbers from 32 on are days of April."""
    return f"2026-03-{number:02d}" if number <= 31 else f"2026-04-{number - 31:02d}"


def end_of(number: int) -> datetime:
    """Return the last microsecond of a day of March 2026, UTC."""
    return datetime.fromisoformat(f"{day(number)}T23:59:59.999999")


def sent(left: int | str | None, came: int | str | None, qty: object = 100, **values: object) -> Row:
    """Return a delivery: its shipping and receipt (day or text), its quantity, and other columns."""
    return {"left": left, "came": came, "qty": qty, **values}


def history(
    *deliveries: Row,
    wanted: Row | None = None,
    lines: list[Row] | None = None,
    bills: list[Row] | None = None,
    **order_values: object,
) -> Records:
    """Return an order with its deliveries.

    By default, the shipped quantity is billed once. `bills` sets columns of the invoices and their lines.
    """
    headers, contents, documents, billed = [], [], [], []
    wanted_lines = lines if lines is not None else [order_line(**(wanted or {}))]
    for number, delivery in enumerate(deliveries, start=1):
        values = dict(delivery)
        left, came, qty = values.pop("left"), values.pop("came"), values.pop("qty")
        header = {name: values.pop(name) for name in ("carrier", "received_place") if name in values}
        moments = {
            "shipped_at": day(left) if isinstance(left, int) else left,
            "received_at": day(came) if isinstance(came, int) else came,
        }
        headers.append(shipment(shipment_id=f"S{number}", **moments, **header))
        contents.append(shipment_line(shipment_id=f"S{number}", shipped_qty=qty, **values))
    if bills is None:
        sums: dict[str, Decimal] = {}
        for content in contents:
            sums[content["line_no"]] = sums.get(content["line_no"], Decimal(0)) + content["shipped_qty"]
        bills = [{"line_no": line_no, "billed_qty": quantity} for line_no, quantity in sums.items()]
    for number, bill in enumerate(bills, start=1):
        values = dict(bill)
        known = invoice().keys() - {"source", "file_id", "row_no", "deleted"}
        document = {name: values.pop(name) for name in list(values) if name in known and name not in invoice_line()}
        document["invoice_id"] = values.pop("invoice_id", f"I{number}")
        documents.append(invoice(**document))
        billed.append(invoice_line(invoice_id=document["invoice_id"], invoice_line_no=str(number), **values))
    return records(
        orders=[order(**order_values)],
        order_lines=wanted_lines,
        shipments=headers,
        shipment_lines=contents,
        invoices=documents,
        invoice_lines=billed,
        products=[product(), product(product_id="Q")],
    )


def both(*parts: Records) -> Records:
    """Return the records of several orders together."""
    return {feed: [row for one in parts for row in one[feed]] for feed in parts[0]}


def renamed(one: Records, order_id: str) -> Records:
    """Return the records with another name for the order and its documents."""
    changed = {feed: [dict(row) for row in rows] for feed, rows in one.items()}
    for rows in changed.values():
        for row in rows:
            for key in ("order_id", "shipment_id", "invoice_id", "reverses_invoice_id"):
                if row.get(key):
                    row[key] = order_id if key == "order_id" else f"{order_id}-{row[key]}"
    return changed


def verdicts(**values: object) -> dict[str, dict[str, object]]:
    """Return expected columns of order O."""
    return {"O": values}


def otif(on_time: object, complete: object, both_: object) -> dict[str, dict[str, object]]:
    return verdicts(on_time=on_time, complete=complete, otif=both_)


def promised_ten(*moves: Row, came: int = 15) -> Records:
    """Return an order requested for the 10th and promised for the 12th, with promise changes and a receipt day."""
    return history(sent(came - 1, came), requested_by=day(10), promised_by=day(12)) | {"promises": list(moves)}


def moved(by: str, on: int, to: int, revision_no: int = 2) -> Row:
    """Return a promise change: by whom, on which day, to which day."""
    return promise(changed_by=by, changed_at=day(on), promised_by=day(to), revision_no=revision_no)


def restated(before: int, after: int, on: int = 5) -> Row:
    """Return a restated quantity of line 1, by the run with data up to the end of a day."""
    return restated_quantity(before_qty=before, after_qty=after, data_as_of=end_of(on))


def sent_back(reason: str | None, on: int = 25, **values: object) -> Row:
    return returned(reason=reason, announced_at=day(on), **values)


def quarantined(**values: object) -> Row:
    """Return a rejected record: a shipment line of order O, line 1, with a receipt before its order."""
    defaults: Row = {
        "file_id": 1,
        "run_id": 1,
        "feed": "shipment_lines",
        "object_name": "shipments.csv",
        "row_no": 1,
        "key": None,
        "order_id": "O",
        "line_no": "1",
        "record": "{}",
        "rules": "[]",
        "status": "rejected",
        "waits_for": None,
    }
    return defaults | values


WITH_PROMISES = everything() | everything("promises")
WITH_RETURNS = everything() | everything("returns")
WITH_FACTORS = everything() | everything("unit_factors")
PERFECT = {
    "on_time": T,
    "complete": T,
    "otif": T,
    "damage_free": T,
    "filled_accurately": T,
    "billed_accurately": T,
    "state": "judged",
}
FAILED = {"state": "judged", "on_time": F, "complete": F, "otif": F}
LA, TOKYO, NEW_YORK = "America/Los_Angeles", "Asia/Tokyo", "America/New_York"
WINDOW = {"timing": "WINDOW"}
SERVICE = order_line(line_kind="service", product_id=None, ordered_qty=1, unit_price_amount=10)
# Any: arguments of `history`
TWO_TO_FOUR: dict[str, Any] = {"promised_from": "2026-03-10T14:00Z", "promised_by": "2026-03-10T16:00Z"}


def between_two_and_four(came: str) -> Records:
    return history(sent(9, came), **TWO_TO_FOUR)


CASES: list[Case] = [
    Case("clean order is perfect", history(sent(8, 9)), {"O": PERFECT}),
    # R1: requested 10, promised 12, received 15, and 11 (between the two)
    Case(
        "R1 first promise is the headline",
        history(sent(8, 15), requested_by=day(10), promised_by=day(12)),
        otif(F, T, F),
    ),
    Case(
        "R1 received between request and promise",
        history(sent(8, 11), requested_by=day(10), promised_by=day(12)),
        otif(T, T, T),
    ),
    Case(
        "R1 the same by the request",
        history(sent(8, 11), requested_by=day(10), promised_by=day(12)),
        otif(F, T, F),
        policy={"anchor": "requested"},
    ),
    Case(
        "R1 current promise without a promises feed is the first",
        history(sent(8, 15), requested_by=day(10), promised_by=day(12)),
        otif(F, T, F),
        policy={"anchor": "current_promise"},
    ),
    # R2
    # R1: the same, and the promise moved to the 20th on the 11th or the 13th, received 15
    Case(
        "R1 a seller's move re-bases nothing",
        promised_ten(moved("seller", 11, 20)),
        verdicts(on_time=F, due_day=date(2026, 3, 12)),
        {("O", "1"): {"request_at": end_of(10), "promise_at": end_of(12), "first_due_at": end_of(12)}},
        mapped=WITH_PROMISES,
    ),
    Case(
        "R1 the current promise is the seller's move",
        promised_ten(moved("seller", 11, 20)),
        verdicts(on_time=T, deadline_at=end_of(20)),
        policy={"anchor": "current_promise"},
        mapped=WITH_PROMISES,
    ),
    Case(
        "R1 the request is not moved",
        promised_ten(moved("seller", 11, 20)),
        verdicts(on_time=F, deadline_at=end_of(10)),
        policy={"anchor": "requested"},
        mapped=WITH_PROMISES,
    ),
    Case(
        "R1 the buyer's move in time re-bases",
        promised_ten(moved("buyer", 11, 20)),
        verdicts(on_time=T, due_day=date(2026, 3, 20)),
        {("O", "1"): {"promise_at": end_of(20)}},
        mapped=WITH_PROMISES,
    ),
    Case(
        "R1 the buyer's move on the deadline's own day",
        promised_ten(moved("buyer", 12, 20)),
        verdicts(on_time=T),
        mapped=WITH_PROMISES,
    ),
    Case(
        "R1 the buyer's move too late", promised_ten(moved("buyer", 13, 20)), verdicts(on_time=F), mapped=WITH_PROMISES
    ),
    Case(
        "R1 a move before the deadline that the move before it gave",
        promised_ten(moved("buyer", 11, 14), moved("buyer", 13, 20, revision_no=3)),
        verdicts(on_time=T, due_day=date(2026, 3, 20)),
        mapped=WITH_PROMISES,
    ),
    Case(
        "R1 no re-basing where the policy has none",
        promised_ten(moved("buyer", 11, 20)),
        verdicts(on_time=F, due_day=date(2026, 3, 20)),
        policy={"rebase": "none"},
        mapped=WITH_PROMISES,
    ),
    Case(
        "R1 a move that has not happened by as_of",
        promised_ten(moved("buyer", 11, 20)),
        verdicts(state="pending", due_day=date(2026, 3, 12)),
        as_of=end_of(10),
        mapped=WITH_PROMISES,
    ),
    # R1: a pull-in from the 12th to the 10th, received on the 11th. Only the seller's confirmation moves the promise.
    *(
        Case(
            f"R1 a pull-in {name}",
            promised_ten(*moves, came=11),
            verdicts(on_time=on_time, due_day=date(2026, 3, due)),
            {("O", "1"): {"promise_at": end_of(due)}},
            mapped=WITH_PROMISES,
        )
        for name, moves, on_time, due in (
            ("that nobody confirms moves nothing", (moved("buyer", 5, 10),), T, 12),
            ("that the seller confirms", (moved("buyer", 5, 10), moved("seller", 6, 10, 3)), F, 10),
            ("that the seller undercuts", (moved("buyer", 5, 10), moved("seller", 6, 9, 3)), F, 10),
            ("that the seller answers with a later day", (moved("buyer", 5, 10), moved("seller", 6, 11, 3)), T, 12),
            ("after the seller's own revision", (moved("seller", 4, 9), moved("buyer", 5, 10, 3)), T, 12),
            ("before a postponement", (moved("buyer", 5, 10), moved("buyer", 11, 20, 3)), T, 20),
        )
    ),
    Case(
        "R1 the promise as first made stays where it was",
        promised_ten(moved("buyer", 11, 20)),
        verdicts(promised_day=date(2026, 3, 20), first_promised_day=date(2026, 3, 12)),
        mapped=WITH_PROMISES,
    ),
    # N9: a fee and a line that the buyer cancelled name later days
    Case(
        "R1 the days of an order are those of its goods lines owed",
        history(
            sent(8, 9),
            requested_by=day(5),
            lines=[
                order_line(),
                order_line(line_no="2", line_kind="fee", product_id=None, requested_by=day(25), promised_by=day(26)),
                order_line(
                    line_no="3",
                    requested_by=day(27),
                    promised_by=day(28),
                    cancelled_qty=100,
                    cancelled_at=day(3),
                    cancelled_by="buyer",
                ),
            ],
        ),
        verdicts(
            requested_day=date(2026, 3, 5),
            promised_day=date(2026, 3, 10),
            first_promised_day=date(2026, 3, 10),
            due_day=date(2026, 3, 10),
        ),
    ),
    Case("R2 shipped 9 no receipt", history(sent(9, None)), otif(U, U, U)),
    Case("R2 shipped 11 no receipt", history(sent(11, None)), otif(F, U, F)),
    Case("R2 sixty received and forty late unproven", history(sent(7, 8, 60), sent(11, None, 40)), otif(U, U, F)),
    Case("R2 collected by the buyer", history(sent(9, None)), otif(T, T, T), policy={"receipt_event": "shipped_at"}),
    # R3: 2026-03-06T04:30Z is 5 March 20:30 in Los Angeles, 6 March 13:30 in Tokyo
    Case("R2 an incoterm says that the buyer collects", history(sent(9, None), delivery_term="FCA"), otif(T, T, T)),
    Case(
        "R2 the place where the buyer collects is ours",
        history(sent(9, None, received_place="our dock"), delivery_term="fca Rotterdam"),
        {"O": PERFECT},
        {("O", "1"): {"place_ok": T}},
    ),
    Case(
        "R2 a place that is not told says nothing where the buyer collects",
        history(sent(9, None, received_place=None), delivery_term="EXW"),
        {"O": PERFECT},
    ),
    Case(
        "R2 the same place is wrong where we deliver",
        history(sent(8, 9, received_place="our dock"), delivery_term="DAP"),
        verdicts(on_time=F, complete=F, filled_accurately=F),
    ),
    Case("R2 an incoterm that says that we deliver", history(sent(9, None), delivery_term="DAP"), otif(U, U, U)),
    Case(
        "R3 Los Angeles still the fifth",
        history(sent(4, "2026-03-06T04:30Z"), promised_by="2026-03-05", ship_to_time_zone=LA),
        otif(T, T, T),
    ),
    Case(
        "R3 Tokyo already the sixth",
        history(sent(4, "2026-03-06T04:30Z"), promised_by="2026-03-05", ship_to_time_zone=TOKYO),
        otif(F, T, F),
    ),
    # R3: New York's 8 March 2026 ends 04:00Z of the 9th, an hour early
    Case(
        "R3 last instant of a short New York day",
        history(sent(4, "2026-03-09T03:59:59.999999Z"), promised_by="2026-03-08", ship_to_time_zone=NEW_YORK),
        verdicts(on_time=T, deadline_at=datetime(2026, 3, 9, 3, 59, 59, 999999)),
    ),
    Case(
        "R3 first instant after a short New York day",
        history(sent(4, "2026-03-09T04:00Z"), promised_by="2026-03-08", ship_to_time_zone=NEW_YORK),
        verdicts(on_time=F),
    ),
    # 2:30 of 7 March in New York is 07:30Z; a day later 2:30 does not exist and is read as 3:30, 07:30Z
    Case(
        "R3 a skipped wall clock moves on by the gap",
        history(sent(4, "2026-03-08T07:30Z"), promised_by="2026-03-07T07:30Z", ship_to_time_zone=NEW_YORK),
        verdicts(on_time=T, deadline_at=datetime(2026, 3, 8, 7, 30)),
        policy={"late_tolerance_days": 1},
    ),
    Case(
        "R3 a bare date inside the window's day cannot be told",
        history(sent(9, 10), **TWO_TO_FOUR),
        verdicts(on_time=U, complete=T),
    ),
    # R4: window 14:00 to 16:00
    Case(
        "R4 early in a window",
        between_two_and_four("2026-03-10T13:30Z"),
        verdicts(on_time=F, on_time_reason="too_early"),
        policy=WINDOW,
    ),
    Case("R4 early for a deadline", between_two_and_four("2026-03-10T13:30Z"), verdicts(on_time=T)),
    Case(
        "R4 early within tolerance",
        between_two_and_four("2026-03-10T13:30Z"),
        verdicts(on_time=T),
        policy=WINDOW | {"early_tolerance_hours": Decimal("0.5")},
    ),
    Case(
        "R4 the deadline itself is in time",
        between_two_and_four("2026-03-10T16:00:00Z"),
        verdicts(on_time=T),
        policy=WINDOW,
    ),
    Case(
        "R4 a second after the deadline",
        between_two_and_four("2026-03-10T16:00:01Z"),
        verdicts(on_time=F, on_time_reason="late"),
        policy=WINDOW,
    ),
    Case("R4 without a window the anchor's day opens it", history(sent(8, 9)), verdicts(on_time=F), policy=WINDOW),
    Case(
        "R4 a day early within tolerance",
        history(sent(8, 9)),
        verdicts(on_time=T),
        policy=WINDOW | {"early_tolerance_days": 1},
    ),
    Case(
        "R4 a day earlier than that",
        history(sent(7, 8)),
        verdicts(on_time=F),
        policy=WINDOW | {"early_tolerance_days": 1},
    ),
    # R5: A due 28 April nothing shipped; B due 2 May, received 29 April
    Case(
        "R5 open orders fail when due and wait until then",
        both(
            renamed(history(bills=[], promised_by="2026-04-28"), "A"),
            renamed(history(sent("2026-04-28", "2026-04-29"), promised_by="2026-05-02"), "B"),
        ),
        {
            "A": FAILED | {"on_time_reason": "never_received", "complete_reason": "short"},
            "B": {"state": "pending", "on_time": U, "on_time_reason": "not_yet_due", "complete": U},
        },
    ),
    # R6: due 31 March, received 2 April
    Case(
        "R6 service belongs to the day it was due",
        history(sent(31, 33), promised_by="2026-03-31"),
        verdicts(due_day=date(2026, 3, 31), arrived_day=date(2026, 4, 2), cycle_days=32),
    ),
    # R7
    Case("R7 a late remainder cures complete only", history(sent(7, 8, 60), sent(11, 12, 40)), otif(F, T, F)),
    Case("R7 a part that never came", history(sent(7, 8, 60)), otif(T, F, F)),
    Case("R7 split receipts add up", history(sent(7, 8, 60), sent(9, 10, 40)), otif(T, T, T)),
    # R8
    Case(
        "R8 first pass and final fill",
        history(sent(8, 9, 70), sent(14, 15, 30)),
        lines={
            ("O", "1"): {"owed_qty": 100, "first_pass_qty": 70, "filled_qty": 100, "back_ordered": T, "substituted": F}
        },
    ),
    Case(
        "R8 short and nothing sent later",
        history(sent(8, 9, 70)),
        lines={("O", "1"): {"first_pass_qty": 70, "filled_qty": 70, "back_ordered": F}},
    ),
    # R9: A owed 10 got 13, B owed 10 got 7
    Case(
        "R9 overage is neither credited nor offset",
        history(
            sent(8, 9, 13, line_no="1"),
            sent(8, 9, 7, line_no="2"),
            lines=[order_line(ordered_qty=10), order_line(line_no="2", ordered_qty=10)],
        ),
        verdicts(complete=F, filled_accurately=F, filled_accurately_reason="over_shipped"),
        {
            ("O", "1"): {"complete": T, "filled_accurately": F, "filled_qty": 10},
            ("O", "2"): {"complete": F, "filled_accurately": T, "filled_qty": 7},
        },
    ),
    # R9: 110 received, ten of them returned
    *(
        Case(
            f"R9 ten too many, {name}",
            history(sent(8, 9, 110), bills=[{"billed_qty": 110}]) | {"returns": returns},
            verdicts(complete=T, filled_accurately=F, filled_accurately_reason="over_shipped", overage_ok=F, item_ok=T),
            mapped=WITH_RETURNS,
        )
        for name, returns in (
            ("kept", []),
            ("returned later", [sent_back("not_wanted", returned_qty=10)]),
            ("returned on the day of the receipt", [sent_back("not_wanted", on=9, returned_qty=10)]),
        )
    ),
    Case(
        "R9 what replaces returned goods is no overage",
        history(sent(8, 9), sent(14, 15, 10), bills=[{"billed_qty": 110}])
        | {"returns": [sent_back("not_wanted", on=12, returned_qty=10)]},
        verdicts(filled_accurately=T, overage_ok=T),
        mapped=WITH_RETURNS,
    ),
    Case(
        "R9 an extra consignment on its way may have come before the return",
        history(sent(8, 9), sent(10, None, 10), bills=[{"billed_qty": 110}])
        | {"returns": [sent_back("not_wanted", on=12, returned_qty=10)]},
        verdicts(filled_accurately=U, overage_ok=U),
        mapped=WITH_RETURNS,
    ),
    # R10
    Case("R10 two short is short", history(sent(8, 9, 98)), verdicts(complete=F)),
    Case(
        "R10 two short within two per cent",
        history(sent(8, 9, 98)),
        verdicts(complete=T),
        policy={"under_tolerance_share": Decimal("0.02")},
    ),
    Case(
        "R10 three short of two per cent",
        history(sent(8, 9, 97)),
        verdicts(complete=F),
        policy={"under_tolerance_share": Decimal("0.02")},
    ),
    # R11
    Case(
        "R11 less than half a gram is equal",
        history(sent(8, 9, "0.9996"), wanted={"ordered_qty": 1, "product_id": "K"})
        | {"products": [product(product_id="K", base_unit="kg")]}
        | {"shipment_lines": [shipment_line(shipped_qty="0.9996", product_id="K")]},
        verdicts(complete=T),
    ),
    Case(
        "R11 one piece of a million is missed",
        history(sent(8, 9, 999_999), wanted={"ordered_qty": 1_000_000}),
        verdicts(complete=F),
    ),
    # R11: ten pieces that may be sold by the tenth, 9.9 received
    Case(
        "R11 the product's own rounding step",
        history(sent(8, 9, "9.9"), wanted={"ordered_qty": 10})
        | {"unit_factors": [unit_factor(unit="piece", factor=1, rounding_step="0.1")]},
        verdicts(complete=F),
        mapped=WITH_FACTORS,
    ),
    Case(
        "R11 without one half a piece is rounding",
        history(sent(8, 9, "9.9"), wanted={"ordered_qty": 10}) | {"unit_factors": [unit_factor()]},
        verdicts(complete=T),
        mapped=WITH_FACTORS,
    ),
    Case(
        "R11 a rounding step of a later day is not that of the order",
        history(sent(8, 9, "9.9"), wanted={"ordered_qty": 10})
        | {"unit_factors": [unit_factor(unit="piece", valid_from="2026-03-02", factor=1, rounding_step="0.1")]},
        verdicts(complete=T),
        mapped=WITH_FACTORS,
    ),
    # R13: due 10, none received
    Case(
        "R13 cancelled by the buyer in time",
        history(bills=[], cancelled_at=day(8), cancelled_by="buyer", cancel_reason="changed mind"),
        verdicts(state="excluded", on_time=U),
        {("O", "1"): {"owed_qty": 0}},
    ),
    *(
        Case(
            f"R13 cancelled {name}",
            history(bills=[], cancelled_at=day(on), cancelled_by=by, cancel_reason=why),
            {"O": FAILED},
        )
        for name, on, by, why in (
            ("by the buyer too late", 12, "buyer", None),
            ("for our fault", 8, "buyer", "out_of_stock"),
            ("by the seller", 5, "seller", None),
            ("by nobody named", 5, None, None),
        )
    ),
    Case(
        "R13 an order's cancellation takes what has not come",
        history(sent(5, 6, 30), cancelled_at=day(8), cancelled_by="buyer"),
        otif(T, T, T),
        {("O", "1"): {"owed_qty": 30}},
    ),
    # R14: 100, buyer cuts 20 on 8, 80 received by 10
    Case(
        "R14 a buyer's cut",
        history(sent(8, 9, 80), wanted={"cancelled_qty": 20, "cancelled_at": day(8), "cancelled_by": "buyer"}),
        verdicts(complete=T, otif=T),
        {("O", "1"): {"owed_qty": 80}},
    ),
    # R14: 100, restated; due 10
    Case(
        "R14 a lower restatement without reason is the seller's",
        history(sent(8, 9, 80), wanted={"ordered_qty": 80}) | {"restated_quantities": [restated(100, 80)]},
        verdicts(complete=F, on_time=T),
        {("O", "1"): {"owed_qty": 100}},
    ),
    Case(
        "R14 a lower restatement that a cancellation explains",
        history(
            sent(8, 9, 80),
            wanted={"ordered_qty": 80, "cancelled_qty": 20, "cancelled_at": day(8), "cancelled_by": "buyer"},
        )
        | {"restated_quantities": [restated(100, 80)]},
        verdicts(complete=T, otif=T),
        {("O", "1"): {"owed_qty": 80}},
    ),
    Case(
        "R14 a higher restatement in time is the buyer's",
        history(sent(8, 9), wanted={"ordered_qty": 120}) | {"restated_quantities": [restated(100, 120, on=10)]},
        verdicts(complete=F),
        {("O", "1"): {"owed_qty": 120}},
    ),
    Case(
        "R14 a higher restatement after the deadline is not owed",
        history(sent(8, 9), wanted={"ordered_qty": 120}) | {"restated_quantities": [restated(100, 120, on=11)]},
        verdicts(complete=T),
        {("O", "1"): {"owed_qty": 100}},
    ),
    Case(
        "R14 up in time and down again is still owed",
        history(sent(8, 9), wanted={"ordered_qty": 100})
        | {"restated_quantities": [restated(100, 120, on=5), restated(120, 100, on=6) | {"run_id": 3}]},
        verdicts(complete=F),
        {("O", "1"): {"owed_qty": 120}},
    ),
    # R15: 60 on 8, then the remainder
    Case(
        "R15 the buyer drops the remainder",
        history(sent(7, 8, 60), wanted={"cancelled_qty": 40, "cancelled_at": day(9), "cancelled_by": "buyer"}),
        otif(T, T, T),
        {("O", "1"): {"owed_qty": 60}},
    ),
    Case(
        "R15 the seller closes the remainder",
        history(sent(7, 8, 60), wanted={"cancelled_qty": 40, "cancelled_at": day(9), "cancelled_by": "seller"}),
        otif(T, F, F),
        {("O", "1"): {"cancelled_short_qty": 40}},
    ),
    Case(
        "R15 a remainder that nobody closed",
        history(sent(7, 8, 60)),
        otif(T, F, F),
        {("O", "1"): {"cancelled_short_qty": 0}},
    ),
    # R16
    Case(
        "R16 an order waits for its last group",
        history(
            sent(4, 5, line_no="1"),
            sent(21, 22, line_no="2"),
            lines=[order_line(promised_by=day(5)), order_line(line_no="2", promised_by=day(20))],
        ),
        verdicts(on_time=F, due_day=date(2026, 3, 20), missed_deadline_at=end_of(20), days_late=2, lateness_days=2),
        {
            ("O", "1"): {"on_time": T, "due_day": date(2026, 3, 5)},
            ("O", "2"): {"on_time": F, "due_day": date(2026, 3, 20)},
        },
    ),
    # line 1 due 5 received 8, line 2 due 20 received 19: three days late, by the line that failed
    Case(
        "R16 an order is as late as its worst line",
        history(
            sent(7, 8, line_no="1"),
            sent(18, 19, line_no="2"),
            lines=[order_line(promised_by=day(5)), order_line(line_no="2", promised_by=day(20))],
        ),
        verdicts(on_time=F, due_day=date(2026, 3, 20), days_late=3, lateness_days=3, missed_deadline_at=end_of(5)),
        {("O", "1"): {"lateness_days": 3}, ("O", "2"): {"lateness_days": -1}},
    ),
    # R17: only a service of 10
    *(
        Case(
            f"R17 an order with only a service, {name}",
            history(lines=[SERVICE], bills=bills, **order_values),
            verdicts(
                state="excluded",
                billing_state=state,
                billed_accurately=verdict,
                billed_accurately_reason=reason,
                on_time=U,
                on_time_reason=None,
                perfect_order=U,
            ),
            as_of=as_of,
        )
        for name, bills, order_values, as_of, state, verdict, reason in (
            ("billed right", [{"billed_qty": 1, "unit_price_amount": 10}], {}, END_OF_APRIL, "judged", T, None),
            (
                "billed 12",
                [{"billed_qty": 1, "unit_price_amount": 12}],
                {},
                END_OF_APRIL,
                "judged",
                F,
                "billed_price",
            ),
            ("not billed", [], {}, END_OF_APRIL, "judged", U, "nothing_received"),
            (
                "not due yet",
                [{"billed_qty": 1, "unit_price_amount": 12, "invoiced_at": day(2)}],
                {},
                end_of(9),
                "pending",
                U,
                "not_yet_due",
            ),
            (
                "that is no sale",
                [{"billed_qty": 1, "unit_price_amount": 12}],
                {"order_type": "internal"},
                END_OF_APRIL,
                "excluded",
                U,
                None,
            ),
        )
    ),
    Case(
        "R17 an order that the buyer cancelled in time is billed wrong",
        history(bills=[{}], cancelled_at=day(8), cancelled_by="buyer"),
        verdicts(state="excluded", billing_state="judged", billed_accurately=F, on_time=U),
    ),
    # R17: fee of 10 billed 12
    Case(
        "R17 a fee is billed but not delivered",
        history(
            sent(8, 9),
            lines=[
                order_line(),
                order_line(line_no="2", line_kind="fee", product_id=None, ordered_qty=1, unit_price_amount=10),
            ],
            bills=[{}, {"invoice_id": "I1", "line_no": "2", "billed_qty": 1, "unit_price_amount": 12}],
        )
        | {"invoices": [invoice()]},
        verdicts(on_time=T, complete=T, billed_accurately=F, billed_accurately_reason="billed_price"),
        {("O", "2"): {"state": "excluded"}},
    ),
    Case(
        "R17 a line of nothing is outside",
        history(sent(8, 9), lines=[order_line(), order_line(line_no="2", ordered_qty=0)]),
        {"O": PERFECT},
        {("O", "2"): {"state": "excluded"}},
    ),
    # R19: product Q for P by the deadline
    Case(
        "R19 an agreed substitute",
        history(sent(8, 9, product_id="Q", substitution_agreed=True)),
        verdicts(complete=T, filled_accurately=T),
        {("O", "1"): {"first_pass_qty": 0, "counted_qty": 100, "substituted": T, "back_ordered": F, "item_ok": T}},
    ),
    Case(
        "R19 an empty consignment after an agreed substitute is no back order",
        history(sent(8, 9, product_id="Q", substitution_agreed=True), sent(14, 15, 0)),
        lines={("O", "1"): {"first_pass_qty": 0, "back_ordered": F}},
    ),
    Case(
        "R8 what was sent later is a back order whatever came of it",
        history(sent(8, 9, 70), sent(14, 15, 30, received_qty=0)),
        verdicts(complete=F),
        {("O", "1"): {"first_pass_qty": 70, "back_ordered": T}},
    ),
    Case(
        "R19 a substitute nobody agreed to",
        history(sent(8, 9, product_id="Q", substitution_agreed=False)),
        verdicts(complete=F, filled_accurately=F, filled_accurately_reason="wrong_item"),
        {("O", "1"): {"counted_qty": 0}},
    ),
    Case(
        "R19 substitutes not allowed by the policy",
        history(sent(8, 9, product_id="Q", substitution_agreed=True)),
        verdicts(complete=F, filled_accurately=F),
        policy={"allow_substitution": False},
    ),
    # R20: wrong product on 8, right 100 on 9
    Case(
        "R20 a wrong item put right is still a wrong item",
        history(sent(7, 8, product_id="Q"), sent(8, 9), bills=[{}]),
        verdicts(on_time=T, complete=T, filled_accurately=F, perfect_order=F),
    ),
    Case(
        "R20 a wrong place is not received",
        history(sent(8, 9, received_place="P2")),
        verdicts(on_time=F, complete=F, filled_accurately=F, filled_accurately_reason="wrong_place"),
    ),
    # R21: received 1 March, nothing recorded, 30 days
    Case(
        "R21 damage cannot be told inside the claims window",
        history(sent(1, 1, damaged_qty=None), promised_by=day(1)),
        verdicts(damage_free=U, damage_free_reason="no_evidence"),
        as_of=end_of(20),
    ),
    Case(
        "R21 no claim in the window",
        history(sent(1, 1, damaged_qty=None), promised_by=day(1)),
        verdicts(damage_free=T),
        as_of=end_of(36),
    ),
    Case(
        "R21 no claim, but nowhere to see one",
        history(sent(1, 1, damaged_qty=None), promised_by=day(1)),
        verdicts(damage_free=U),
        as_of=end_of(36),
        mapped=everything() - {"invoices.credit_reason"},
    ),
    Case(
        "R21 damage recorded",
        history(sent(8, 9, damaged_qty=1)),
        verdicts(complete=T, damage_free=F, damage_free_reason="damaged"),
    ),
    Case(
        "R21 a credit for damage",
        history(sent(8, 9), bills=[{}, {"invoice_kind": "credit", "credit_reason": "damage", "billed_qty": 5}]),
        verdicts(damage_free=F, damage_free_reason="damage_credit", billed_accurately=T),
    ),
    Case(
        "R21 no claim in the window, and returns would have shown it",
        history(sent(1, 1, damaged_qty=None), promised_by=day(1)),
        verdicts(damage_free=T),
        as_of=end_of(36),
        mapped=WITH_RETURNS - {"invoices.credit_reason"},
    ),
    Case(
        "R21 sent back damaged on the 25th",
        history(sent(1, 1, damaged_qty=None), promised_by=day(1)) | {"returns": [sent_back("damage", returned_qty=3)]},
        verdicts(damage_free=F, damage_free_reason="returned_damaged", complete=T, filled_accurately=T),
        {("O", "1"): {"damaged_qty": 3}},
        as_of=end_of(36),
        mapped=WITH_RETURNS,
    ),
    Case(
        "R21 sent back damaged after as_of",
        history(sent(1, 1, damaged_qty=None), promised_by=day(1)) | {"returns": [sent_back("damage")]},
        verdicts(damage_free=U, damage_free_reason="no_evidence"),
        as_of=end_of(24),
        mapped=WITH_RETURNS,
    ),
    # R22: received 100 on 9, all returned
    Case(
        "R22 a return does not un-deliver",
        history(sent(8, 9)) | {"returns": [sent_back("not_wanted")]},
        {"O": PERFECT},
        mapped=WITH_RETURNS,
    ),
    Case(
        "R22 a wrong item put right is no overage",
        history(sent(8, 9), sent(19, 20), bills=[{}]) | {"returns": [sent_back("wrong_item", on=12)]},
        verdicts(
            on_time=T,
            filled_accurately=F,
            filled_accurately_reason="returned_wrong",
            overage_ok=T,
            item_ok=F,
            place_ok=T,
        ),
        mapped=WITH_RETURNS,
    ),
    Case(
        "R22 what was sent twice and not sent back is overage",
        history(sent(8, 9), sent(19, 20), bills=[{}]),
        verdicts(filled_accurately=F, filled_accurately_reason="over_shipped", overage_ok=F, item_ok=T),
        mapped=WITH_RETURNS,
    ),
    *(
        Case(
            f"R22 sent back for {reason}",
            history(sent(8, 9)) | {"returns": [sent_back(reason)]},
            verdicts(on_time=T, complete=T, **{verdict: F, f"{verdict}_reason": why, other: T}),
            mapped=WITH_RETURNS,
        )
        for reason, verdict, why, other in (
            ("defect", "damage_free", "returned_damaged", "filled_accurately"),
            ("wrong_place", "filled_accurately", "returned_wrong", "damage_free"),
            ("wrong_quantity", "filled_accurately", "returned_wrong", "damage_free"),
        )
    ),
    Case(
        "R22 sent back for a reason nobody told",
        history(sent(8, 9)) | {"returns": [sent_back(None)]},
        verdicts(on_time=T, complete=T, damage_free=U, filled_accurately=U, filled_accurately_reason="no_evidence"),
        mapped=WITH_RETURNS,
    ),
    # R23: received 100 at 5.00
    Case(
        "R23 part invoices add up",
        history(sent(8, 9), bills=[{"billed_qty": 60}, {"billed_qty": 40}]),
        verdicts(billed_accurately=T),
    ),
    Case(
        "R23 billed twice",
        history(sent(8, 9), bills=[{}, {}]),
        verdicts(billed_accurately=F, billed_accurately_reason="billed_quantity"),
    ),
    Case(
        "R23 a wrong price stands though credited",
        history(
            sent(8, 9),
            bills=[
                {"unit_price_amount": "5.10"},
                {"invoice_kind": "credit", "credit_reason": "billing", "unit_price_amount": "0.10"},
            ],
        ),
        verdicts(billed_accurately=F, billed_accurately_reason="billed_price"),
    ),
    Case(
        "R23 goodwill is no error",
        history(sent(8, 9), bills=[{}, {"invoice_kind": "credit", "credit_reason": "goodwill", "billed_qty": 1}]),
        verdicts(billed_accurately=T),
    ),
    Case(
        "R23 reversed and reissued",
        history(
            sent(8, 9),
            bills=[{}, {"invoice_kind": "reversal", "reverses_invoice_id": "I1"}, {"invoiced_at": day(12)}],
        ),
        verdicts(billed_accurately=F),
    ),
    Case(
        "R23 a reversal after as_of has not happened",
        history(
            sent(8, 9),
            bills=[{}, {"invoice_kind": "reversal", "reverses_invoice_id": "I1", "invoiced_at": "2026-05-05T10:00Z"}],
        ),
        verdicts(billed_accurately=T),
    ),
    Case("R23 not billed yet", history(sent(8, 9), bills=[]), verdicts(billed_accurately=U), as_of=end_of(12)),
    Case(
        "R23 not billed in time",
        history(sent(8, 9), bills=[]),
        verdicts(billed_accurately=F, billed_accurately_reason="not_billed"),
        as_of=end_of(17),
    ),
    Case(
        "R23 not billed in time where no source says how much is billed",
        history(sent(8, 9), bills=[]),
        verdicts(billed_accurately=F, billed_accurately_reason="not_billed"),
        as_of=end_of(17),
        mapped=everything() - {"invoice_lines.billed_qty"},
    ),
    Case(
        "R23 billed after the window",
        history(sent(8, 9), bills=[{"invoiced_at": day(17)}]),
        verdicts(billed_accurately=F, billed_accurately_reason="billed_late"),
    ),
    Case(
        "R23 billed on its last day",
        history(sent(8, 9), bills=[{"invoiced_at": day(16)}]),
        verdicts(billed_accurately=T),
    ),
    *(
        Case(
            f"R23 {column} other than agreed",
            history(sent(8, 9), bills=[{column: value}]),
            verdicts(billed_accurately=F, billed_accurately_reason=reason),
        )
        for column, value, reason in (
            ("line_amount", "500.01", "billed_amount"),
            ("payment_terms", "net 10", "billed_terms"),
            ("bill_to", "B2", "billed_party"),
            ("currency", "USD", "billed_currency"),
        )
    ),
    Case(
        "R23 another tax than agreed",
        history(sent(8, 9), bills=[{"tax_amount": "100.01"}]),
        verdicts(billed_accurately=F, billed_accurately_reason="billed_tax"),
    ),
    Case(
        "R23 half a cent of tax is rounding",
        history(sent(8, 9), bills=[{"tax_amount": "100.005"}]),
        verdicts(billed_accurately=T),
    ),
    Case(
        "R23 tax not told where it is mapped",
        history(sent(8, 9), bills=[{"tax_amount": None}]),
        verdicts(billed_accurately=U, billed_accurately_reason="no_evidence"),
    ),
    Case(
        "R23 tax not tested where nobody agreed one",
        history(sent(8, 9), bills=[{"tax_amount": "999"}]),
        verdicts(billed_accurately=T),
        mapped=everything() - {"order_lines.tax_rate"},
    ),
    Case(
        "R23 half a cent is rounding",
        history(sent(8, 9), bills=[{"line_amount": "500.005"}]),
        verdicts(billed_accurately=T),
    ),
    Case(
        "R23 less the damaged is right too",
        history(sent(8, 9, damaged_qty=10), bills=[{"billed_qty": 90}]),
        verdicts(billed_accurately=T, damage_free=F),
    ),
    Case(
        "R23 unproven goods are billed as shipped",
        history(sent(9, None), bills=[{}]),
        verdicts(billed_accurately=T, on_time=U, complete=U),
    ),
    Case(
        "R23 no invoice feed",
        history(sent(8, 9), bills=[]),
        verdicts(on_time=T, billed_accurately=U, billed_accurately_reason="no_feed"),
        mapped=frozenset(name for name in everything() if not name.startswith("invoice")),
    ),
    # R33: a deleted record does not count
    Case(
        "R33 a deleted shipment line never was",
        history(sent(8, 9)) | {"shipment_lines": [shipment_line(deleted=True)]},
        verdicts(complete=F, on_time=F),
        {("O", "1"): {"counted_qty": 0}},
    ),
    # R33: sent twice is one row after the upsert, a newer version of 90 counts 90
    Case(
        "R33 the newest version counts",
        history(sent(8, 9, 90)),
        verdicts(complete=F),
        {("O", "1"): {"counted_qty": 90}},
    ),
    # R34: ordered 6, received 4: rejected, so the order cannot be judged
    Case(
        "R34 a receipt before the order leaves the order unknown",
        history(bills=[], ordered_at=day(6)) | {"quarantine": [quarantined()]},
        verdicts(on_time=U, on_time_reason="quarantined", complete=U, otif=U, state="judged"),
    ),
    Case(
        "R34 a record that was released is no longer in the way",
        history(sent(8, 9)) | {"quarantine": [quarantined(status="released")]},
        {"O": PERFECT},
    ),
    # R35: ordered 30 March in B, A from 1 April
    Case(
        "R35 the segment of the day of ordering",
        history(sent(33, 34), ordered_at="2026-03-30", promised_by="2026-04-10")
        | {
            "customers": [
                customer_version(service_segment="B"),
                customer_version(valid_from="2026-04-01", service_segment="A"),
            ]
        },
        verdicts(segment="B"),
    ),
    # R39: 60 own + 40 by a supplier on 12
    Case(
        "R39 whoever shipped it",
        history(sent(7, 8, 60), sent(11, 12, 40, carrier="supplier")),
        verdicts(on_time=F, carrier="(several)"),
    ),
    # R40
    *(
        Case(f"R40 {kind} is no sale", history(sent(14, 15), order_type=kind), verdicts(state="excluded", on_time=U))
        for kind in ("replacement", "sample", "internal")
    ),
    Case(
        "no promise and no anchor",
        history(sent(8, 9), promised_by=None),
        verdicts(on_time=U, on_time_reason="no_anchor", complete=T, otif=U),
    ),
    Case("no anchor and short", history(sent(8, 9, 50), promised_by=None), verdicts(on_time=U, complete=F, otif=F)),
    # No date at all, ordered on the 1st: pending until received or the 31st has passed
    *(
        Case(
            f"no date at all, {name}",
            history(*deliveries, bills=[], promised_by=None),
            verdicts(state=state, on_time=U, on_time_reason=reason, complete=complete),
            policy=policy,
            as_of=as_of,
        )
        for name, deliveries, as_of, policy, state, reason, complete in (
            ("an hour after the order", (), end_of(1), {}, "pending", "not_yet_due", U),
            ("received in part", (sent(8, 9, 50),), end_of(20), {}, "pending", "not_yet_due", U),
            ("received", (sent(8, 9),), end_of(20), {}, "judged", "no_anchor", T),
            ("after 29 days", (), end_of(30), {}, "pending", "not_yet_due", U),
            ("after 30 days", (), end_of(31), {}, "judged", "no_anchor", F),
            ("with a limit of five days", (), end_of(6), {"undated_days": 5}, "judged", "no_anchor", F),
            ("the day before that limit", (), end_of(5), {"undated_days": 5}, "pending", "not_yet_due", U),
        )
    ),
    *(
        Case(
            f"a request alone, {name}",
            history(bills=[], promised_by=None, requested_by=day(20)),
            verdicts(state=state, on_time=U, on_time_reason=reason, complete=complete),
            as_of=as_of,
        )
        for name, as_of, state, reason, complete in (
            ("before it", end_of(19), "pending", "not_yet_due", U),
            ("after it", end_of(20), "judged", "no_anchor", F),
        )
    ),
    Case(
        "an open remainder is late where the policy says so",
        history(sent(7, 8, 60)),
        otif(F, F, F),
        policy={"open_balance": "late"},
    ),
]
"""All worked examples, in the order of the rules."""


def judged_alike() -> list[tuple[Case, dict[str, str]]]:
    """Return cases with equal policy, `as_of` and columns as one case, with the prefix of each name.

    One query for many cases takes no longer than for one.
    """
    found: dict[tuple[object, ...], tuple[Case, dict[str, str]]] = {}
    for number, case in enumerate(CASES):
        alike = (repr(sorted(case.policy.items())), case.as_of, case.mapped)
        whole, prefixes = found.setdefault(
            alike, (Case("together", {}, policy=case.policy, as_of=case.as_of, mapped=case.mapped), {})
        )
        prefixes[case.name] = f"N{number:03d}"
        renamed_all = prefixed(case.records, prefixes[case.name], (*DOCUMENTS, "customer_id", "product_id"))
        for feed, rows in renamed_all.items():
            whole.records.setdefault(feed, []).extend(rows)
    return list(found.values())
