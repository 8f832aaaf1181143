"""Invoices, promises and returns in quarantine never make an order look better (R34, impossible dates).

They extend the clean orders of `test_in_quarantine.py`: all are billed, B got a credit for damage, we pulled in a
promise of D, and A returned a damaged piece.
"""

import pytest

from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.warehouse import reading
from tests.ingest import test_in_quarantine as goods
from tests.ingest.files import Source, add

HEADERS = {
    "invoices": "invoice_id,invoice_kind,invoiced_at,credit_reason",
    "invoice_lines": "invoice_id,invoice_line_no,order_id,line_no,billed_qty,line_amount",
    "promises": "order_id,line_no,revision_no,promised_by,changed_at,changed_by",
    "returns": "return_id,return_line_no,order_id,line_no,returned_qty,reason,announced_at",
}
CLEAN: dict[str, list[str]] = {
    "invoices": [*[f"I{no},invoice,2026-03-11," for no in "ABCD"], "KB,credit,2026-03-15,damage"],
    "invoice_lines": [
        "IA,1,A,1,10,20", "IA,2,A,2,4,8", "IB,1,B,1,10,20", "IC,1,C,1,7,14", "ID,1,D,1,7,14", "KB,1,B,1,1,2",
    ],
    "promises": ["D,1,1,2026-03-10,2026-03-02,seller", "D,1,2,2026-03-08,2026-03-05,seller"],
    "returns": ["RA,1,A,1,1,damage,2026-03-12"],
}  # fmt: skip
KEYS = {"orders": (0,), "order_lines": (0,), "shipments": (0,), "shipment_lines": (0, 2)} | {
    "invoices": (0,), "invoice_lines": (0, 2), "promises": (0,), "returns": (0, 2),
}  # fmt: skip
BROKEN = {
    "invoices": ("{0},{1},x,{3}", "{0},x,{2},{3}"),
    "invoice_lines": ("{0},{1},{2},{3},x,{5}", "{0},{1},{2},{3},{4},x", "{0},{1},{2},9,{4},{5}"),
    "promises": ("{0},{1},{2},x,{4},{5}", "{0},{1},x,{3},{4},{5}", "{0},{1},{2},{3},x,{5}"),
    "returns": ("{0},{1},{2},{3},x,{5},{6}", "{0},{1},{2},{3},{4},{5},x", "{0},{1},{2},9,{4},{5},{6}"),
}
EVERY: list[tuple[str, int, str | None]] = [
    (feed, place, form.format(*record.split(",")))
    for feed, forms in BROKEN.items()
    for place, record in enumerate(CLEAN[feed])
    for form in forms
]
SHARES = (*goods.SHARES, "billed_accurately", "damage_free")


@pytest.fixture(autouse=True)
def no_ledgers() -> None:
    """Keep the fact tables: some of the shares need them."""


def write(source: Source, changes: list[tuple[str, int, str | None]]) -> None:
    """Write a copy of the clean records for each change, as customers W00, W01 and so on."""
    found: dict[str, list[str]] = {feed: [] for feed in (*goods.HEADERS, *HEADERS)}
    for number, (feed, place, record) in enumerate(changes):
        for name, rows in (goods.CLEAN | CLEAN).items():
            for at, one in enumerate(rows):
                values = (record if record and (name, at) == (feed, place) else one).split(",")
                for key in KEYS[name]:
                    values[key] = f"W{number:02d}{values[key]}"
                if name == "orders":
                    values[1] = f"W{number:02d}"
                found[name].append(",".join(values))
    found["orders"].append("Z,ZZ,2026-03-02,2026-03-10")
    found["order_lines"].append("Z,1,P1,many,2")
    goods.write(source, **{feed: found[feed] for feed in goods.HEADERS})
    for feed, header in HEADERS.items():
        add(source, feed, "\n".join([header, *found[feed]]) + "\n")


@pytest.mark.long
def test_no_quarantined_document_raises_a_coverage_or_a_worst_bound(source: Source) -> None:
    """Property: each record of each feed in quarantine in turn, in a copy of its own.

    Order Z has one line, whose quantity cannot be read: its units are unknown, not 0.
    """
    write(source, [*EVERY, ("none", 0, None)])
    source.take_in()
    with reading(source.location) as connection:
        answers = answer(connection, Question((*SHARES, "ordered_units", "received_units"), by=("customer",)))
    by_world: dict[str | None, dict[str, Answer]] = {}
    for one in answers:
        by_world.setdefault(one.dimensions["customer"], {})[one.measure] = one
    unread = by_world.pop("ZZ")
    for name in ("ordered_units", "received_units"):
        assert (unread[name].value, unread[name].no_data) == (None, "inconclusive: every line is in quarantine")
    clean = {name: one for name, one in by_world.pop(f"W{len(EVERY):02d}").items() if one.coverage == 1}
    assert {"billed_accurately", "damage_free", "on_time_current_promise", "otif"} <= clean.keys()
    assert clean["damage_free"].numerator == 2, "A returned damage, B got a credit for it"
    assert len(by_world) == len(EVERY)
    better = []
    for world, (feed, _, record) in zip(sorted(by_world, key=str), EVERY, strict=True):
        for name in clean:
            after = by_world[world][name]
            for bound in ("coverage", "worst"):
                if float(getattr(after, bound) or 0) > float(getattr(clean[name], bound) or 0):
                    better.append((name, bound, feed, record))
        # A verdict of the order is unknown.
        assert min(float(by_world[world][name].coverage or 0) for name in clean) < 1, record
    assert better == []
