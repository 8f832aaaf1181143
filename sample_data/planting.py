"""Planting: the records of a feed in memory, and the functions that put a defect among them.

A planter either inserts a spoilt copy of a clean record, or spoils a record in place. A copy gets its own key, so that
no other record depends on it. A record spoilt in place has no children. The list of defects is in defects.py.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

QUARANTINED, WAITING, SUPERSEDED = "quarantined", "waiting", "superseded"

Row = dict[str, str]
Change = str | Callable[[Row], str]

NEW_KEYS = {
    "orders": ("order_no", "SO9{:07d}"),
    "order_lines": ("pos", "9{:05d}"),
    "shipments": ("delivery_no", "DN9{:08d}"),
    "shipment_lines": ("item", "9{:05d}"),
    "invoices": ("doc_no", "IN9{:08d}"),
    "invoice_lines": ("item", "9{:05d}"),
    "customers": ("customer_no", "C9{:06d}"),
    "products": ("material", "9{:06d}"),
    "service_packages": ("segment", "Z{:d}"),
    "policies": ("contract", "FRAME-{:d}"),
    "targets": ("scope", "customer:C9{:06d}"),
    "unit_factors": ("material", "9{:06d}"),
    "assumptions": ("scope", "customer:C9{:06d}"),
    "calendars": ("calendar", "SITE-9{:06d}"),
    "fx_rates": ("on_date", "{:d}"),
    "promises": ("rev", "9{:05d}"),
    "holds": ("hold_no", "HD9{:08d}"),
    "order_events": ("try", "9{:05d}"),
    "quotes": ("inquiry_no", "Q9{:08d}"),
    "quote_options": ("option", "9{:05d}"),
    "messages": ("message_no", "M9{:08d}"),
    "payments": ("receipt_no", "PM9{:08d}"),
    "service_cases": ("case_no", "CS9{:08d}"),
    "returns": ("rma_no", "RM9{:08d}"),
    "stockouts": ("note_no", "NS9{:08d}"),
    "service_costs": ("entry_no", "EX9{:08d}"),
    "buyer_scorecards": ("order_no", "PO9{:08d}"),
}
"""The column and the pattern of new keys, by feed. No clean record has such a key."""

WAITS_FOR = {
    **dict.fromkeys(
        ("order_lines", "holds", "order_events", "quotes", "messages", "service_cases", "service_costs"),
        "waits for its order",
    ),
    **dict.fromkeys(("shipment_lines", "invoice_lines", "promises", "returns"), "waits for its order line"),
}
"""Feeds whose records need their order, with the rule of waiting records."""


def draw(*key: object) -> float:
    """Return a number from 0 up to 1 that depends on `key` only."""
    digest = hashlib.sha256("|".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def csv_line(values: Iterable[str], delimiter: str = ",") -> str:
    """Return a CSV record without its line end."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(values)
    return text.getvalue()


@dataclass
class Part:
    """The records of one feed in one chunk, and the defects planted among them."""

    feed: str
    header: Sequence[str]
    lines: list[str]
    delimiter: str = ","
    spoilt: dict[int, str] = field(default_factory=dict)
    """New text of spoilt records, by position."""
    extra: dict[int, list[tuple[str, "Mark | None"]]] = field(default_factory=dict)
    """Records inserted after the record at a position."""
    marks: dict[int, "Mark"] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    """Positions that accept no further defect."""

    def row(self, position: int) -> Row:
        """Return the clean record at a position."""
        return dict(zip(self.header, next(csv.reader([self.lines[position]], delimiter=self.delimiter)), strict=True))

    def text(self, row: Row) -> str:
        """Return a record as a line of the file."""
        return csv_line((row[column] for column in self.header), self.delimiter)

    def add(self, position: int, line: str, mark: "Mark | None") -> None:
        """Insert a record after the record at a position."""
        self.extra.setdefault(position, []).append((line, mark))

    def mark(self, position: int, mark: "Mark") -> None:
        """Record that the record at a position is planted, and accept no further defect there."""
        self.marks[position] = mark
        self.taken.add(position)

    def find(self, start: float, needs: Callable[[Row], bool]) -> int | None:
        """Return the first free position whose record satisfies `needs`, or None.

        The search begins at `start` (0 to 1) and continues at the first record after the last.
        """
        first = int(start * len(self.lines))
        for step in range(len(self.lines)):
            position = (first + step) % len(self.lines)
            if position not in self.taken and needs(self.row(position)):
                return position
        return None

    def starting_with(self, key: str) -> int | None:
        """Return the position of the record whose first field is `key`, or None."""
        return next(
            (position for position, line in enumerate(self.lines) if line.startswith(key + self.delimiter)), None
        )

    def output(self) -> Iterator["Run"]:
        """Yield all records in order: clean records in runs, without a mark, and each planted record with its mark."""
        done = 0
        for position in sorted({*self.spoilt, *self.extra, *self.marks, *self.dropped}):
            yield self.lines[done:position], None
            if position not in self.dropped:
                yield [self.spoilt.get(position, self.lines[position])], self.marks.get(position)
            for line, mark in self.extra.get(position, ()):
                yield [line], mark
            done = position + 1
        yield self.lines[done:], None


@dataclass(frozen=True)
class Mark:
    """A planted record's kind, the expected outcome of ingest, and the rule it breaks."""

    kind: str
    outcome: str
    rule: str


Run = tuple[list[str], Mark | None]
"""Consecutive clean records without a mark, or a planted record with its mark."""
Parts = Mapping[str, Part]
"""The parts of one chunk, by feed."""


class Spot(NamedTuple):
    """The place of one planted record."""

    start: float
    """Where the search for a record begins, from 0 (first record) up to 1 (last record)."""
    serial: int
    """Number of the planted record, which makes its key unique."""


@dataclass(frozen=True)
class Kind:
    """A kind of defect. `change` has the new values of spoilt columns; `plant` plants the defect."""

    name: str
    feed: str
    rule: str
    example: str
    change: Mapping[str, Change] = field(default_factory=dict)
    outcome: str = QUARANTINED
    needs: Callable[[Row], bool] = lambda _: True
    in_place: bool = False
    plant: Callable[["Kind", Parts, Spot], None] = field(
        default=lambda kind, parts, spot: plant_change(kind, parts, spot)
    )

    @property
    def mark(self) -> Mark:
        """Return the values of its row in defects.csv."""
        return Mark(self.name, self.outcome, self.rule)


def with_changes(row: Row, change: Mapping[str, Change]) -> Row:
    """Return the record with the changes."""
    return row | {column: value if isinstance(value, str) else value(row) for column, value in change.items()}


def with_new_key(part: Part, row: Row, serial: int) -> Row:
    """Return the record with a new key."""
    column, form = NEW_KEYS[part.feed]
    return row | {column: form.format(serial)}


def plant_change(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Spoil a record in place, or insert a spoilt copy after it."""
    part = parts[kind.feed]
    position = part.find(spot.start, kind.needs)
    if position is None:
        return
    if kind.in_place:
        part.spoilt[position] = part.text(with_changes(part.row(position), kind.change))
        part.mark(position, kind.mark)
    else:
        copy = with_new_key(part, part.row(position), spot.serial)
        part.add(position, part.text(with_changes(copy, kind.change)), kind.mark)


def plant_short_row(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Insert a record without its last three fields."""
    part = parts[kind.feed]
    position = int(spot.start * len(part.lines))
    row = with_new_key(part, part.row(position), spot.serial)
    part.add(position, csv_line([row[column] for column in part.header][:-3]), kind.mark)


def plant_long_row(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Insert a record with two additional fields."""
    part = parts[kind.feed]
    position = int(spot.start * len(part.lines))
    row = with_new_key(part, part.row(position), spot.serial)
    part.add(position, csv_line([*(row[column] for column in part.header), "", "?"]), kind.mark)


def plant_repeated_header(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Insert the header again, as in two files pasted together."""
    part = parts[kind.feed]
    part.add(int(spot.start * len(part.lines)), csv_line(part.header), kind.mark)


def plant_totals_line(kind: Kind, parts: Parts, _spot: Spot) -> None:
    """Insert a line of totals above the last record, as in two reports pasted together.

    Below the last record it would be a footer, and ingest skips footers.
    """
    part = parts[kind.feed]
    row = dict.fromkeys(part.header, "") | {part.header[0]: "TOTAL", "qty": f"{len(part.lines) * 37}.000"}
    part.add(len(part.lines) - 2, part.text(row), kind.mark)


def plant_repeat(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Repeat a record. With changes, the copy has the same key and other values, and only its position is later."""
    part = parts[kind.feed]
    position = part.find(spot.start, kind.needs)
    if position is not None:
        part.mark(position, kind.mark)
        part.add(position, part.text(with_changes(part.row(position), kind.change)), None)


def plant_missing_order(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Remove an order's header. Its lines wait for it; its shipment lines and invoice lines wait for the lines."""
    part = parts["orders"]
    position = part.find(spot.start, kind.needs)
    if position is None:
        return
    order_no = part.row(position)["order_no"]
    part.dropped.add(position)
    part.taken.add(position)
    inquiries: set[str] = set()
    for feed, rule in WAITS_FOR.items():
        child = parts.get(feed)
        if child is None:
            continue
        for at, line in enumerate(child.lines):
            if order_no in line:
                child.mark(at, Mark(kind.name, WAITING, rule))
                if feed == "quotes":
                    inquiries.add(line.partition(",")[0])
    options = parts.get("quote_options")
    for at, line in enumerate(options.lines if options and inquiries else ()):
        if options and line.partition(",")[0] in inquiries:
            options.mark(at, Mark(kind.name, WAITING, "waits for its inquiry"))


def plant_contradiction(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Insert two records with the same key and different values. Both are defects, because neither is newer."""
    part = parts[kind.feed]
    position = int(spot.start * len(part.lines))
    row = with_changes(with_new_key(part, part.row(position), spot.serial), kind.change)
    for factor in ("480", "500"):
        part.add(position, part.text(row | {"factor": factor}), kind.mark)


def plant_early_shipment(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Insert a shipment with a line. It leaves before its order is placed."""
    line_part, part = parts["shipment_lines"], parts["shipments"]
    position = line_part.find(spot.start, kind.needs)
    if position is None:
        return
    line = line_part.row(position)
    at = part.starting_with(line["delivery_no"])
    if at is None:
        return
    shipment = with_changes(with_new_key(part, part.row(at), 90_000 + spot.serial), kind.change)
    part.add(at, part.text(shipment), None)
    line_part.add(position, line_part.text(line | {"delivery_no": shipment["delivery_no"], "item": "1"}), kind.mark)


def plant_early_invoice(kind: Kind, parts: Parts, spot: Spot) -> None:
    """Insert an invoice with a line. Its date is before its order's date."""
    line_part, part = parts["invoice_lines"], parts["invoices"]
    position = line_part.find(spot.start, kind.needs)
    if position is None:
        return
    line = line_part.row(position)
    at = part.starting_with(line["doc_no"])
    if at is None:
        return
    invoice = with_changes(with_new_key(part, part.row(at), 90_000 + spot.serial), kind.change)
    part.add(at, part.text(invoice), None)
    line_part.add(position, line_part.text(line | {"doc_no": invoice["doc_no"], "item": "1"}), kind.mark)


def increased(column: str, by: str) -> Callable[[Row], str]:
    """Return a change to the number of `column` plus `by`."""
    return lambda row: f"{float(row[column]) + float(by):.3f}"


def days_before(column: str, days: int) -> Callable[[Row], str]:
    """Return a change to the moment of `column`, some days earlier."""
    return lambda row: (datetime.fromisoformat(row[column]) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def has(*columns: str, **values: str) -> Callable[[Row], bool]:
    """Return a condition: `columns` are filled, and other columns equal `values`."""
    return lambda row: (
        all(row[column] for column in columns) and all(row[column] == value for column, value in values.items())
    )
