"""Drawn order histories: small, dense and nasty, so that edge cases meet each other.

`worlds()` and `histories()` are Hypothesis strategies: a world is a day, an `as_of`, a policy and a set of mapped
columns; a history is one order around that day. `populated()` fills a world with many histories, which are independent
of each other but judged together. All moments lie within a few days of each other and of clock changes; quantities
differ by the half steps that rounding and tolerance are about. Rows keep the rules of ingest (quantities not below
zero, received not before shipped, shipped not before ordered, no duplicate key); everything else may be wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.builders import (
    MAKERS,
    Records,
    Row,
    calendar_day,
    columns,
    customer,
    everything,
    fx_rate,
    hold,
    invoice,
    invoice_line,
    order,
    order_event,
    order_line,
    policy_version,
    product,
    promise,
    records,
    restated_quantity,
    returned,
    service_case,
    service_package,
    shipment,
    shipment_line,
    unit_factor,
)

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo", "UTC")
DAYS = (
    date(2026, 3, 8),
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 11, 1),
    date(2026, 2, 27),
    date(2026, 12, 30),
)
"""Days histories happen around: clock changes in New York and Berlin, both ways, and ends of a month and a year."""
WALL_TIMES = ("00:00:00", "01:30:00", "02:30:00", "12:00:00", "14:00:00", "16:00:00", "23:59:59.999999")
OPTIONAL = (
    "orders.requested_by",
    "orders.requested_from",
    "orders.promised_by",
    "orders.ship_to",
    "orders.order_type",
    "orders.bill_to",
    "orders.payment_terms",
    "orders.currency",
    "orders.cancelled_by",
    "orders.cancel_reason",
    "order_lines.product_id",
    "order_lines.promised_by",
    "order_lines.unit_price_amount",
    "shipments.shipped_at",
    "shipments.received_at",
    "shipments.received_place",
    "shipments.carrier",
    "shipment_lines.product_id",
    "shipment_lines.received_qty",
    "shipment_lines.damaged_qty",
    "shipment_lines.substitution_agreed",
    "invoices.credit_reason",
    "invoices.bill_to",
    "invoices.payment_terms",
    "invoices.currency",
    "invoice_lines.billed_qty",
    "invoice_lines.unit_price_amount",
    "orders.delivery_term",
    "order_lines.tax_rate",
    "invoice_lines.tax_amount",
    "shipments.attempted_at",
    "shipments.failure_caused_by",
    "returns.reason",
    "promises.changed_by",
    "unit_factors.rounding_step",
    "customers.policy_id",
)
"""Columns a source may leave unmapped."""
MORE_FEEDS = (
    "promises",
    "returns",
    "unit_factors",
    "policies",
    "fx_rates",
    "holds",
    "order_events",
    "service_cases",
    "service_packages",
    "calendars",
)
"""Feeds that only some worlds have."""
SHORT = 6
"""Examples of one Hypothesis run."""
WHOLE_FEEDS = (("invoices", "invoice_lines"), ("products",), ("customers",))
"""Feeds that may be absent altogether."""


@dataclass(frozen=True)
class World:
    """Records and how they are to be judged."""

    middle: date
    records: Records
    policy: Mapping[str, Any]
    as_of: datetime
    mapped: frozenset[str]


def chance(draw: Draw, one_in: int) -> bool:
    return bool(draw(st.integers(0, one_in - 1)) == one_in - 1)


def pick(draw: Draw, *values: T) -> T:
    """One of the values; repeat one to make it likelier, and put the plainest first (Hypothesis shrinks towards it)."""
    chosen: T = draw(st.sampled_from(values))
    return chosen


def a_moment(draw: Draw, day: date, zone: str) -> str:
    """A moment of that local day as the builders take it: a bare date, or an instant at a telling time of the wall
    clock or of UTC.
    """
    kind = pick(draw, "date", "date", "wall", "wall", "utc")
    if kind == "date":
        return day.isoformat()
    if kind == "utc":
        return f"{day.isoformat()}T{draw(st.integers(0, 23)):02d}:{pick(draw, '00', '30')}:00Z"
    wall = datetime.fromisoformat(f"{day.isoformat()}T{pick(draw, *WALL_TIMES)}").replace(tzinfo=ZoneInfo(zone))
    return wall.astimezone(ZoneInfo("UTC")).isoformat()


def not_before(moment: str | None, earlier: str | None) -> str | None:
    """The moment, or the earlier one where it would come before that (rows keep the rules of ingest)."""
    if moment is None or earlier is None or moment[:19] >= earlier[:19]:
        return moment
    return earlier


@dataclass(frozen=True)
class OrderDraft:
    """What the rows of one history share."""

    draw: Draw
    order_id: str
    middle: date
    zone: str

    def moment(self, *offsets: int) -> str:
        """A moment one of these days away from the middle."""
        return a_moment(self.draw, self.middle + timedelta(days=pick(self.draw, *offsets)), self.zone)

    def maybe(self, one_in: int, *offsets: int) -> str | None:
        return self.moment(*offsets) if chance(self.draw, one_in) else None

    def deleted(self) -> bool:
        return chance(self.draw, 40)

    def cancellation(self, one_in: int) -> Row:
        """Columns of a cancellation by any party for any reason, or none."""
        if not chance(self.draw, one_in):
            return {}
        return {
            "cancelled_at": self.moment(-1, 0, 0, 1, 3),
            "cancelled_by": pick(self.draw, "buyer", "buyer", "buyer", "seller", None),
            "cancel_reason": pick(self.draw, None, "changed mind", "out_of_stock", "late"),
        }


def an_order(draft: OrderDraft) -> Row:
    draw = draft.draw
    promised = draft.moment(0, 0, 1) if not chance(draw, 8) else None
    return order(
        order_id=draft.order_id,
        customer_id=pick(draw, "C1", "C2", "C3", "nobody"),
        ordered_at=draft.moment(-3, -2, -2, -2, -1),
        requested_by=draft.maybe(2, 0, -1, 1),
        requested_from=draft.maybe(4, 0, -1),
        promised_by=promised,
        promised_from=draft.maybe(3, 0, -1, 0),
        channel=pick(draw, "edi", "web", None),
        order_type=pick(draw, *["sale"] * 24, "replacement", "internal", "sample", None),
        fulfilment_model=pick(draw, None, "make_to_stock"),
        currency=pick(draw, "EUR", "EUR", "EUR", "JPY", "KWD", None),
        bill_to=pick(draw, "B1", "B1", "B1", "B1", None),
        payment_terms=pick(draw, "net 30", "net 30", "net 30", "net 30", None),
        delivery_term=pick(draw, *[None] * 8, "DAP", "EXW", "FCA"),
        ship_to=pick(draw, "P1", "P1", "P1", "P1", "P1", None),
        ship_to_time_zone=draft.zone,
        deleted=draft.deleted(),
        **draft.cancellation(8),
    )


def a_line(draft: OrderDraft, number: int) -> Row:
    draw = draft.draw
    quantity = Decimal(pick(draw, *["10"] * 6, "100", "100", "1", "1", "2.5", "2.5", "0"))
    cancellation = draft.cancellation(5)
    if cancellation:
        cancellation["cancelled_qty"] = pick(
            draw, None, quantity, quantity / 2, quantity / 2, min(quantity, Decimal(1))
        )
    return order_line(
        order_id=draft.order_id,
        line_no=str(number),
        product_id=pick(draw, "P", "P", "P", "K", "K", "E", "X", None),
        ordered_qty=quantity,
        unit_price_amount=pick(draw, "5.00", "5.00", "1.3333", "0", None),
        tax_rate=pick(draw, *["0.2"] * 6, "0.07", "0", None),
        line_kind=pick(draw, *["goods"] * 12, "service", "fee"),
        requested_by=draft.maybe(8, 0, 1),
        promised_by=draft.maybe(6, 0, -1, 1, 2),
        deleted=draft.deleted(),
        **cancellation,
    )


def a_shipment(draft: OrderDraft, number: int, ordered: str) -> Row:
    draw = draft.draw
    left = not_before(draft.moment(-1, 0, 0, 1, 2, 4), ordered) if not chance(draw, 8) else None
    came = not_before(draft.moment(-1, 0, 0, 0, 1, 1, 2, 4), left or ordered) if not chance(draw, 4) else None
    return shipment(
        shipment_id=f"{draft.order_id}-S{number}",
        carrier=pick(draw, "road", "road", "rail", None),
        shipped_at=left,
        received_at=came,
        received_place=pick(draw, *["P1"] * 12, "P2", None),
        attempted_at=not_before(draft.maybe(4, -1, 0, 0, 1), left or ordered),
        failure_caused_by=pick(draw, None, None, "buyer", "seller", "carrier"),
        deleted=draft.deleted(),
    )


def a_shipment_line(draft: OrderDraft, carried_by: Row, line: Row, number: int, parts: int) -> Row:
    """A part of an order line in a consignment: its even share of `parts`, or half of the time about that and more or
    less wrong.
    """
    draw = draft.draw
    wanted: Decimal = line["ordered_qty"]
    keys = {
        "shipment_id": carried_by["shipment_id"],
        "shipment_line_no": str(number),
        "order_id": draft.order_id,
        "line_no": line["line_no"],
    }
    if chance(draw, 2):
        return shipment_line(
            **keys, product_id=line["product_id"], shipped_qty=wanted / parts, damaged_qty=pick(draw, Decimal(0), None)
        )
    half, step = wanted / 2, Decimal(pick(draw, "0", "0.5", "0.4", "0.0004", "0.0005", "1"))
    quantity = max(
        Decimal(0), pick(draw, wanted, half, half, wanted - step, wanted + step, half - step, half + step, Decimal(0))
    )
    received = pick(draw, None, None, None, quantity, max(Decimal(0), quantity - step), quantity + step)
    if carried_by["received_at"] is None:
        received = None
    arrived = quantity if received is None else received
    return shipment_line(
        **keys,
        product_id=pick(draw, *[line["product_id"]] * 7, "Q", "Q", None),
        shipped_qty=quantity,
        received_qty=received,
        damaged_qty=pick(draw, Decimal(0), Decimal(0), None, None, min(arrived, Decimal(1))),
        substitution_agreed=pick(draw, None, True, False),
        deleted=draft.deleted(),
    )


def an_invoice(draft: OrderDraft, number: int, the_order: Row) -> Row:
    """A billing document; half of the time an invoice that agrees with the order."""
    draw = draft.draw
    if chance(draw, 2):
        agreed = {column: the_order[column] for column in ("bill_to", "payment_terms", "currency")}
        return invoice(
            invoice_id=f"{draft.order_id}-I{number}", invoiced_at=draft.moment(0, 1, 1, 2, 5, 9, 10), **agreed
        )
    kind = pick(draw, *["invoice"] * 7, "credit", "credit", "reversal")
    return invoice(
        invoice_id=f"{draft.order_id}-I{number}",
        invoice_kind=kind,
        reverses_invoice_id=f"{draft.order_id}-I{draw(st.integers(1, 3))}" if kind == "reversal" else None,
        invoiced_at=draft.moment(-1, 0, 1, 1, 3, 5, 8, 9, 10),
        bill_to=pick(draw, *[the_order["bill_to"]] * 6, "B2", None),
        payment_terms=pick(draw, *[the_order["payment_terms"]] * 6, "net 10", None),
        currency=pick(draw, *[the_order["currency"]] * 6, "USD", None),
        credit_reason=pick(draw, "goodwill", "billing", "damage", "defect", "short", "return", None)
        if kind == "credit"
        else None,
        deleted=draft.deleted(),
    )


def an_invoice_line(draft: OrderDraft, bill: Row, line: Row, number: int, sent: Decimal) -> Row:
    draw = draft.draw
    keys = {"invoice_id": bill["invoice_id"], "invoice_line_no": str(number), "line_no": line["line_no"]}
    if chance(draw, 2):
        right = (sent * (line["unit_price_amount"] or Decimal(0))).quantize(Decimal("0.0001"))
        tax = right * (line["tax_rate"] or Decimal(0))
        return invoice_line(
            **keys,
            order_id=draft.order_id,
            billed_qty=sent,
            unit_price_amount=line["unit_price_amount"],
            line_amount=right,
            tax_amount=tax,
        )
    quantity = pick(
        draw,
        sent,
        sent,
        sent,
        line["ordered_qty"],
        sent / 2,
        sent + 1,
        sent - Decimal("0.5"),
        sent - 1,
        Decimal(0),
        None,
    )
    quantity = None if quantity is None else max(Decimal(0), quantity)
    price = pick(draw, *[line["unit_price_amount"]] * 6, Decimal("5.10"), None)
    amount = ((quantity or Decimal(0)) * (price or Decimal(0))).quantize(Decimal("0.0001"))
    off = pick(draw, *["0"] * 6, "0.005", "0.0051", "0.5", "0.0006", "0.01")
    return invoice_line(
        **keys,
        order_id=draft.order_id if not chance(draw, 25) else None,
        billed_qty=quantity,
        unit_price_amount=price,
        line_amount=amount + Decimal(off),
        tax_amount=pick(
            draw, *[(amount + Decimal(off)) * (line["tax_rate"] or Decimal(0)) + Decimal(off)] * 6, Decimal(1), None
        ),
        deleted=draft.deleted(),
    )


def a_quarantined_row(draft: OrderDraft) -> Row:
    """A rejected or waiting record of the order, as the ledger keeps it."""
    draw = draft.draw
    return {
        "file_id": 1,
        "run_id": 1,
        "feed": pick(
            draw, "shipment_lines", "invoice_lines", "shipments", "invoices", "order_lines", "returns", "promises"
        ),
        "object_name": "drawn",
        "row_no": 1,
        "key": None,
        "order_id": draft.order_id,
        "line_no": pick(draw, "1", "2", None),
        "record": "{}",
        "rules": "[]",
        "status": pick(draw, "waiting", "rejected", "released", "dropped"),
        "waits_for": None,
    }


def some_promises(draft: OrderDraft, line: Row) -> list[Row]:
    """Changes of a line's promise by anybody, before and after its deadlines; their numbers need not follow their
    times.
    """
    draw = draft.draw
    return [
        promise(
            order_id=draft.order_id,
            line_no=line["line_no"],
            revision_no=number,
            promised_by=draft.moment(0, 1, 1, 2, 3),
            changed_at=draft.moment(-2, -1, 0, 0, 1, 1, 2, 4),
            changed_by=pick(draw, "buyer", "buyer", "buyer", "seller", None),
            deleted=draft.deleted(),
        )
        for number in range(1, pick(draw, 0, 0, 1, 2, 3) + 1)
    ]


def some_restatements(draft: OrderDraft, line: Row) -> list[Row]:
    """How the line's ordered quantity came to be what it is, in one or two steps."""
    draw = draft.draw
    steps = pick(draw, 0, 0, 0, 0, 1, 2)
    quantities = [Decimal(pick(draw, "5", "9.5", "10", "11", "120", "2")) for _ in range(steps)] + [line["ordered_qty"]]
    days = sorted(draft.middle + timedelta(days=pick(draw, -1, 0, 0, 1, 2)) for _ in range(steps))
    known_at = [datetime.combine(day, datetime.min.time()) + timedelta(hours=pick(draw, 0, 4, 12, 23)) for day in days]
    return [
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


def some_returns(draft: OrderDraft, line: Row) -> list[Row]:
    """Goods of the line coming back for any reason, before or after `as_of`."""
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
    """Holds, steps and the buyer's sudden changes of the order."""
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
    return {"holds": holds, "order_events": events, "service_cases": cases}


def a_history(draft: OrderDraft) -> dict[str, list[Row]]:
    """One order with its lines, consignments, bills and all that was said and done about it."""
    draw = draft.draw
    the_order = an_order(draft)
    lines = [a_line(draft, number) for number in range(1, pick(draw, 1, 1, 1, 2, 2, 3, 4, 0) + 1)]
    ordered = the_order["ordered_at"].isoformat()
    ordered = ordered[:10] if the_order["ordered_at_is_date"] else ordered
    headers = [a_shipment(draft, number, ordered) for number in range(1, pick(draw, 1, 1, 2, 2, 3, 0) + 1)]
    contents: list[Row] = []
    for header in headers:
        for line in lines:
            for _ in range(pick(draw, 1, 1, 1, 1, 1, 0, 2)):
                contents.append(a_shipment_line(draft, header, line, len(contents) + 1, len(headers)))
    bills = [an_invoice(draft, number, the_order) for number in range(1, pick(draw, 1, 1, 1, 1, 2, 3, 0) + 1)]
    billed: list[Row] = []
    for bill in bills:
        for line in lines:
            sent = sum((one["shipped_qty"] for one in contents if one["line_no"] == line["line_no"]), Decimal(0))
            due = sent if line["line_kind"] == "goods" else line["ordered_qty"]
            for _ in range(pick(draw, 1, 1, 1, 1, 1, 0)):
                billed.append(an_invoice_line(draft, bill, line, len(billed) + 1, due))
    return {
        "orders": [the_order],
        "order_lines": lines,
        "shipments": headers,
        "shipment_lines": contents,
        "invoices": bills,
        "invoice_lines": billed,
        "quarantine": [a_quarantined_row(draft)] if chance(draw, 12) else [],
        "promises": [one for line in lines for one in some_promises(draft, line)],
        "restated_quantities": [one for line in lines for one in some_restatements(draft, line)],
        "returns": [one for line in lines for one in some_returns(draft, line)],
        **what_happened(draft),
    }


def some_customers(draw: Draw, middle: date) -> list[Row]:
    """Customers with versions that start around the orders, one deleted; `nobody` has none."""
    rows = [
        customer(customer_id="C1", service_segment="A", region="North", policy_id=pick(draw, "K1", "K1", None)),
        customer(
            customer_id="C2",
            service_segment=pick(draw, "B", None),
            region=None,
            policy_id=pick(draw, "K2", "K1", "K9", None),
        ),
        customer(customer_id="C3", valid_from=middle - timedelta(days=pick(draw, 2, 1, 3)), service_segment="C"),
    ]
    if chance(draw, 2):
        rows.append(
            customer(
                customer_id="C1",
                valid_from=middle - timedelta(days=pick(draw, 2, 1)),
                service_segment="B",
                deleted=chance(draw, 4),
            )
        )
    return rows


def some_products(draw: Draw, middle: date) -> list[Row]:
    """P counted in pieces, K in kilograms, E in an unnamed unit; X is in no list; one changes its unit on the way."""
    rows = [
        product(
            product_id="P",
            category="tools",
            base_unit=pick(draw, "piece", "EA"),
            unit_cost_amount=pick(draw, "3.5", None),
        ),
        product(product_id="K", category=pick(draw, "food", None), base_unit="kg"),
        product(product_id="E", category="tools", base_unit=None),
    ]
    if chance(draw, 3):
        rows.append(
            product(
                product_id="K",
                valid_from=middle - timedelta(days=2),
                category="food",
                base_unit="piece",
                deleted=chance(draw, 4),
            )
        )
    return rows


def some_factors(draw: Draw, middle: date) -> list[Row]:
    """Rounding steps of the products' own base units, and a box that says nothing of them."""
    rows = [
        unit_factor(product_id="P"),
        unit_factor(
            product_id="P", unit=pick(draw, "piece", "EA"), factor=1, rounding_step=pick(draw, "1", "0.1", None)
        ),
    ]
    if chance(draw, 2):
        rows.append(
            unit_factor(
                product_id="K",
                unit="kg",
                valid_from=middle - timedelta(days=pick(draw, 2, 30)),
                factor=1,
                rounding_step="0.01",
            )
        )
    return rows


def some_contracts(draw: Draw, middle: date) -> list[Row]:
    """K1 with two versions, K2 with none before the orders; K9 is in no list."""
    return [
        policy_version(policy_id="K1", **terms(draw)),
        policy_version(
            policy_id="K1", valid_from=middle - timedelta(days=pick(draw, 2, 1)), deleted=chance(draw, 4), **terms(draw)
        ),
        policy_version(policy_id="K2", valid_from=middle - timedelta(days=pick(draw, 3, 2, 1)), **terms(draw)),
    ]


def terms(draw: Draw) -> dict[str, Any]:
    """A contract's own keys, the rest left empty."""
    candidates: dict[str, Sequence[Any]] = {
        "timing": ("WINDOW", "DEADLINE"),
        "early_tolerance_days": (1,),
        "late_tolerance_days": (1, 2),
        "late_tolerance_hours": (Decimal("0.5"),),
        "under_tolerance_share": (Decimal("0.1"), Decimal("0.5")),
        "over_tolerance_share": (Decimal("0.1"),),
        "claims_days": (2,),
        "invoice_days": (2,),
        "anchor": ("requested", "current_promise"),
    }
    return {key: pick(draw, *values) for key, values in candidates.items() if chance(draw, 3)}


def some_rates(draw: Draw, middle: date) -> list[Row]:
    """Rates to the dollar (or the euro itself) of days up to ten before the orders; none of the dinar."""
    to = pick(draw, "USD", "EUR")
    days = sorted(
        {middle - timedelta(days=number) for number in (pick(draw, 1, 2, 3), pick(draw, 5, 9, 10), pick(draw, 9, 12))}
    )
    rates = [
        fx_rate(currency="EUR", on_date=day, rate=f"1.1{number}", reporting_currency=to)
        for number, day in enumerate(days)
        if to != "EUR"
    ]
    return rates + [
        fx_rate(currency="JPY", on_date=day, rate=f"0.006{number}", reporting_currency=to)
        for number, day in enumerate(days)
    ]


def some_packages(draw: Draw, middle: date) -> list[Row]:
    """Lead times of a day or three; none of segment C, and one that changes around the orders."""
    return [
        service_package(lead_time_days_max=pick(draw, 1, 2, 3)),
        service_package(service_segment="B", lead_time_days_max=pick(draw, 0, 1, None)),
        service_package(valid_from=middle - timedelta(days=pick(draw, 2, 1)), lead_time_days_max=pick(draw, 1, 2)),
    ]


def some_calendars(draw: Draw, middle: date) -> list[Row]:
    """Working days of one or two calendars around the orders, some shut, one perhaps forgotten."""
    rows = []
    for name in {pick(draw, "P1", "ship_to"), pick(draw, "default", "ship_from")}:
        forgotten = pick(draw, None, None, -1, 2)
        for number in range(-5, 7):
            day = middle + timedelta(days=number)
            hours: dict[str, str | None] = {
                "opens_at": f"{day}T08:00Z",
                "closes_at": f"{day}T{pick(draw, '10', '12', '13')}:00Z",
            }
            if chance(draw, 4):
                hours = {"opens_at": None, "closes_at": None}
            if number != forgotten:
                rows.append(calendar_day(calendar_id=name, day=day, **hours))
    return rows


def a_policy(draw: Draw) -> dict[str, Any]:
    """The strict policy half of the time, else a what-if."""
    if chance(draw, 2):
        return {}
    candidates: dict[str, Sequence[Any]] = {
        "timing": ("WINDOW",),
        "early_tolerance_days": (1,),
        "early_tolerance_hours": (Decimal("0.5"), Decimal(24)),
        "late_tolerance_days": (1, 2),
        "late_tolerance_hours": (Decimal("0.5"), Decimal(24)),
        "under_tolerance_share": (Decimal("0.02"), Decimal("0.1"), Decimal("0.5")),
        "over_tolerance_share": (Decimal("0.1"),),
        "claims_days": (0, 2),
        "invoice_days": (0, 2),
        "anchor": ("requested", "current_promise"),
        "rebase": ("none",),
        "allow_substitution": (False,),
        "receipt_event": ("shipped_at",),
        "open_balance": ("late",),
        "fault_reasons": ((), ("changed mind",)),
    }
    return {key: pick(draw, *values) for key, values in candidates.items() if chance(draw, 2 if key == "timing" else 6)}


def a_mapping(draw: Draw) -> frozenset[str]:
    """All columns in half of the worlds, else less a few columns or a whole feed."""
    more = MORE_FEEDS if chance(draw, 2) else [feed for feed in MORE_FEEDS if chance(draw, 2)]
    mapped = set(everything()) | set(everything(*more) if more else ())
    if chance(draw, 2):
        return frozenset(mapped)
    for _ in range(pick(draw, 1, 2, 3)):
        mapped.discard(pick(draw, *OPTIONAL))
    if chance(draw, 4):
        absent = pick(draw, *WHOLE_FEEDS)
        mapped = {name for name in mapped if name.split(".")[0] not in absent}
    return frozenset(mapped)


def without_unmapped(all_records: Records, mapped: frozenset[str]) -> Records:
    """The records as ingest would leave them: nothing in a column nobody maps, no row in a feed nobody maps, numbers of
    four decimals.
    """
    kept: Records = {}
    for feed, rows in all_records.items():
        unmapped = [column for column in columns(feed) if f"{feed}.{column}" not in mapped] if feed in MAKERS else []
        if feed in MAKERS and len(unmapped) == len(columns(feed)):
            kept[feed] = []
            continue
        gone = {name: None for column in unmapped for name in (column, f"{column}_is_date")}
        kept[feed] = [{name: gone.get(name, four_decimals(value)) for name, value in row.items()} for row in rows]
    return kept


def four_decimals(value: Any) -> Any:
    return value.quantize(Decimal("0.0001")) if isinstance(value, Decimal) else value


@st.composite
def worlds(draw: Draw) -> World:
    """A world without orders: a day, how it is judged, customers and products."""
    middle = pick(draw, *DAYS)
    mapped = a_mapping(draw)
    as_of_day = middle + timedelta(days=pick(draw, 12, 12, 12, 40, 40, 3, 2, 1, 0))
    at = a_moment(draw, as_of_day, pick(draw, *ZONES))
    as_of = datetime.fromisoformat(f"{at}T23:59:59.999999" if len(at) == len("2026-03-10") else at).replace(tzinfo=None)
    known: Records = records(
        customers=some_customers(draw, middle),
        products=some_products(draw, middle),
        unit_factors=some_factors(draw, middle),
        policies=some_contracts(draw, middle),
        fx_rates=some_rates(draw, middle),
        service_packages=some_packages(draw, middle),
        calendars=some_calendars(draw, middle),
    )
    known |= {"quarantine": [], "restated_quantities": []}
    return World(middle, known, a_policy(draw), as_of, mapped)


@st.composite
def histories(draw: Draw, middle: date) -> Records:
    """One order around that day, called O, with its lines, consignments and bills."""
    return a_history(OrderDraft(draw, "O", middle, pick(draw, *ZONES)))


def drawn(strategy: st.SearchStrategy[T], number: int, *, start: int) -> list[T]:
    """So many values of the strategy, the same ones for the same start: Hypothesis draws them, to be judged all at
    once.

    They come from many short runs without the first examples, which are the plainest, and before Hypothesis begins to
    vary what it had.
    """
    found: list[T] = []
    while len(found) < number:
        found += a_few(strategy, start * 10_000 + len(found))[1:]
    return found[:number]


def a_few(strategy: st.SearchStrategy[T], start: int) -> list[T]:
    """One short run of Hypothesis."""
    found: list[T] = []

    @seed(start)
    @settings(
        max_examples=SHORT,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


def populated(world: World, number: int, *, start: int) -> World:
    """The world with so many drawn orders in it, called W0001 and on."""
    everyone = {feed: list(rows) for feed, rows in world.records.items()}
    for index, one in enumerate(drawn(histories(world.middle), number, start=start), start=1):
        for feed, rows in prefixed(one, f"W{index:04d}").items():
            everyone[feed] = everyone.get(feed, []) + rows
    return replace(world, records=without_unmapped(everyone, world.mapped))


DOCUMENTS = ("order_id", "shipment_id", "invoice_id", "reverses_invoice_id", "return_id", "hold_id", "case_id")
"""Keys that belong to one history."""


def prefixed(one: Records, prefix: str, keys: Sequence[str] = DOCUMENTS) -> Records:
    """The same records with their orders, shipments and invoices renamed, so that several histories can be judged
    together.
    """
    return {
        feed: [row | {key: f"{prefix}-{row[key]}" for key in keys if row.get(key)} for row in rows]
        for feed, rows in one.items()
    }
