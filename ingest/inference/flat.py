"""Split one extract, a row per order line with its delivery and invoice, into feeds: which column is which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ingest.inference import names
from ingest.inference.assignment import ACCEPTED, Answers, Assignment, assign
from ingest.inference.evidence import agreeing_share
from ingest.inference.feeds import CORE, Reading, is_purchasing
from ingest.inference.flat_sql import HEADERS, MASTER, Extract, select_of
from ingest.inference.matching import Candidates, candidates
from ingest.inference.missing import ask_for_missing
from ingest.inference.proposal import ProposedColumn, ProposedFeed
from ingest.inference.tables import Found
from ingest.inference.units import unit_problem
from ingest.mapping.mapping_file import required
from ingest.storage.scratch_database import Connection

SHARED = ("order_id", "line_no", "shipment_id", "invoice_id", "customer_id", "product_id", "unit")
"""Columns with one meaning in all feeds of an extract."""
LINE_COLUMNS = ("requested_by", "promised_by", "cancelled_at", "cancelled_by", "cancel_reason", "source_updated_at")
"""Columns of orders and of order lines. The extract has a row per line, so they are the line's."""
LINES = ("shipment_lines", "invoice_lines")
WEAK = 0.7
"""Score of a name that has its meaning only in a table of one feed."""
LIKELY = 4
"""Columns of orders and shipments by which a table looks like an extract."""
AGREE = 0.98
"""Share of keys whose rows must agree in a column of the header."""


def find_base(tables: Sequence[Found], readings: Mapping[str, Reading]) -> Found | None:
    """Return the table of order lines that also has columns of core feeds without a table. None: there is none."""
    if all(feed in readings for feed in CORE[:4]):
        return None
    taken = {reading.table.relation for feed, reading in readings.items() if feed not in CORE or feed == "orders"}
    best: tuple[float, Found] | None = None
    for table in tables:
        options, _ = candidates(table, "order_lines", alone=True)
        scores = [options[column][0].score if column in options else 0.0 for column in ("order_id", "ordered_qty")]
        if table.relation in taken or min(scores) < ACCEPTED or is_purchasing(table):
            continue
        fit = sum(scores) + names.table_score(table.name, "order_lines")
        if best is None or fit > best[0]:
            best = (fit, table)
    if best is None and "orders" not in readings:
        lines = [readings["order_lines"].table] if "order_lines" in readings else tables
        return _likely_base([table for table in lines if table.relation not in taken and not is_purchasing(table)])
    return best[1] if best else None


def _likely_base(tables: Sequence[Found]) -> Found | None:
    """Return the table with the most columns of orders and shipments. People can name the ones that it lacks."""
    counts = {
        table.relation: len(
            {
                listed[0].column
                for feed in CORE[:4]
                for listed in candidates(table, feed, alone=feed == "order_lines")[0].values()
                if listed[0].score >= ACCEPTED
            }
        )
        for table in tables
    }
    best = max(tables, key=lambda table: counts[table.relation], default=None)
    return best if best is not None and counts[best.relation] >= LIKELY else None


def split(
    connection: Connection, table: Found, wanted: Sequence[str], answers: Answers, *, has_factors: bool
) -> tuple[dict[str, ProposedFeed], Extract]:
    """Return the feeds that a flat table has, by SELECT, and the split table. wanted: feeds without a table."""
    options, refused = _options(table, wanted)
    samples = {name: "; ".join(value[:24] for value, _ in one.values[:3]) for name, one in table.columns.items()}
    needed = ("order_id", "customer_id", "orders.ordered_at", "order_lines.ordered_qty")
    result: Assignment = assign("extract", table.name, options, answers, needed=needed, samples=samples)
    extract = Extract(connection, table, dict(result.chosen), answers, result.alternatives, list(result.questions))
    ask_for_missing(extract, wanted)
    if "order_id" not in extract.chosen:
        return {}, extract
    extract.unmapped = {name: refused.get(name, "no evidence of its meaning") for name in table.columns}
    _drop_disagreeing(extract, wanted)
    if not has_factors:
        _drop_unit(extract)
    feeds = {feed: proposed for feed in wanted if (proposed := _feed(extract, feed)) is not None}
    for header, lines in (("shipments", "shipment_lines"), ("invoices", "invoice_lines")):
        if header in feeds and lines in wanted and lines not in feeds:
            del feeds[header]
    return feeds, extract


def _options(table: Found, wanted: Sequence[str]) -> tuple[Candidates, dict[str, str]]:
    """Return the candidates of all feeds together, named FEED.COLUMN, or COLUMN if all feeds share it."""
    merged: Candidates = {}
    refused: dict[str, str] = {}
    for feed in wanted:
        options, wrong = candidates(table, feed, alone=feed == "order_lines")
        refused |= wrong
        if feed == "orders":
            options = _with_weak(table, options)
        for column, listed in options.items():
            if feed == "orders" and column in LINE_COLUMNS:
                continue
            if column in ("shipment_line_no", "invoice_line_no") or (feed in LINES and column == "unit"):
                continue
            key = column if column in SHARED else f"{feed}.{column}"
            known = {one.column: one for one in merged.get(key, ())}
            for entry in listed:
                if entry.column not in known or known[entry.column].score < entry.score:
                    known[entry.column] = entry
            merged[key] = sorted(known.values(), key=lambda one: -one.score)
    return merged, refused


def _with_weak(table: Found, options: Candidates) -> Candidates:
    """Add names such as `date` that mean the order only in a table of orders: they are worth a question."""
    weak, _ = candidates(table, "orders", alone=True)
    for column in required("orders"):
        if column not in options and column in weak:
            options = {**options, column: [replace(one, score=min(one.score, WEAK)) for one in weak[column]]}
    return options


def _drop_unit(extract: Extract) -> None:
    """Leave out the unit if no table has factors, or ask."""
    unit, product = extract.chosen.get("unit"), extract.chosen.get("product_id")
    if unit is None:
        return
    name = product.column if product else None
    reason, question = unit_problem(extract.connection, extract.table, unit.column, name, extract.answers)
    if question is not None:
        extract.ask(question)
    if reason:
        extract.unmapped[unit.column] = reason
        del extract.chosen["unit"]


def _drop_disagreeing(extract: Extract, wanted: Sequence[str]) -> None:
    """Leave out columns of a header whose rows differ within one order, shipment or invoice."""
    for feed in wanted:
        key = HEADERS.get(feed)
        if key is None or key not in extract.chosen:
            continue
        for column, chosen in extract.of_feed(feed).items():
            if column == key or chosen == "order_id":
                continue
            source = extract.chosen[chosen].column
            share = agreeing_share(extract.connection, extract.table.relation, [extract.chosen[key].column], source)
            if share < AGREE:
                extract.unmapped[source] = f"named like {feed}.{column}, but it differs within one {key}"
                del extract.chosen[chosen]


def _feed(extract: Extract, feed: str) -> ProposedFeed | None:
    columns = extract.of_feed(feed)
    sql = select_of(extract, feed, columns)
    if sql is None:
        return None
    proposed = {
        column: ProposedColumn(
            column, _settings(extract, key), _evidence(extract, key), tuple(extract.alternatives.get(key, ())),
            extract.chosen[key].column,
        )
        for column, key in columns.items()
    }  # fmt: skip
    for column in required(feed):
        if column not in proposed:
            proposed[column] = ProposedColumn(column, {}, "made by the SELECT", made_of=column)
    if feed == "shipment_lines" and "shipment_lines.shipped_qty" not in extract.chosen:
        ordered = extract.chosen["order_lines.ordered_qty"]
        settings = {**ordered.settings, "stands_in_for": "ordered quantity"}
        proposed["shipped_qty"] = ProposedColumn("shipped_qty", settings, "as answered", made_of=ordered.column)
    used = {one.column for one in extract.chosen.values()}
    left = {name: reason for name, reason in extract.unmapped.items() if name not in used}
    shown = left if feed == "order_lines" else {}
    return ProposedFeed(extract.table.name, {"select": sql}, proposed, (f"from {extract.table.name}",), shown)


def _settings(extract: Extract, key: str) -> dict[str, object]:
    return extract.chosen[key].settings


def _evidence(extract: Extract, key: str) -> str:
    one = extract.chosen[key]
    return f"from {one.column!r}: {one.evidence}"


def wanted_feeds(readings: Mapping[str, Reading], base: Found) -> Iterator[str]:
    """Yield the feeds that the extract must give: core feeds without a table of their own, customers and products."""
    for feed in (*CORE, *MASTER):
        if feed not in readings or readings[feed].table is base:
            yield feed
