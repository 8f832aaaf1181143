"""Columns that stand in for missing ones, after a question: ship date, requested date, orders without shipments."""

from collections.abc import Mapping, MutableMapping
from dataclasses import replace

from ingest.inference.assignment import ACCEPTED, Answers, Question
from ingest.inference.feeds import Reading
from ingest.inference.flat_sql import ORDERED_AS_SHIPPED, quantity_question
from ingest.inference.matching import candidates
from ingest.inference.proposal import ProposedColumn, ProposedFeed

NO_RECEIPT = "no: receipts stay unknown"
NO_PROMISE = "no: it is unknown whether orders are on time"
REQUESTED_AS_PROMISED = "yes: every screen says that the requested date stands in"
SHIPPED_AS_RECEIVED = "yes: every screen says that the ship date stands in"
DATES = ("shipped_at", "received_at")


def shipments_of_orders(
    reading: Reading, feeds: Mapping[str, ProposedFeed], answers: Answers
) -> tuple[dict[str, ProposedFeed], list[Question]]:
    """Return shipments and shipment lines made of orders and order lines, and the question that they depend on."""
    options, _ = candidates(reading.table, "shipments", alone=False)
    used = {column.origin for column in feeds["orders"].columns.values()}
    sure = {
        target: listed[0]
        for target, listed in options.items()
        if target != "shipment_id" and listed[0].score >= ACCEPTED and listed[0].column not in used
    }
    if not any(one in sure for one in DATES) or "order_lines" not in feeds:
        return {}, []
    question = quantity_question(reading.table.name)
    if answers.get(question.key) != ORDERED_AS_SHIPPED:
        return {}, [] if question.key in answers else [question]
    order = feeds["orders"].columns["order_id"]
    columns = {"shipment_id": ProposedColumn(order.source, order.settings, "one consignment per order")}
    columns |= {target: ProposedColumn(one.column, one.settings, one.evidence) for target, one in sure.items()}
    origin = reading.table.read([column.source for column in columns.values()], [order.source])
    shipments = ProposedFeed(reading.table.name, origin, columns, ("one consignment per order",))
    return {"shipments": shipments, "shipment_lines": _lines(feeds["order_lines"])}, []


def with_receipt(shipments: ProposedFeed, answers: Answers) -> tuple[ProposedFeed, list[Question]]:
    """Return the shipments with the ship date as receipt, if the answer says so, and the question if it is open."""
    if "received_at" in shipments.columns or "shipped_at" not in shipments.columns:
        return shipments, []
    shipped = shipments.columns["shipped_at"]
    text = f"{shipments.table}: no column has the receipt at the buyer. Let the ship date {shipped.origin!r} stand in?"
    question = Question("receipt", text, (NO_RECEIPT, SHIPPED_AS_RECEIVED), NO_RECEIPT)
    if answers.get(question.key) != SHIPPED_AS_RECEIVED:
        return shipments, [] if question.key in answers else [question]
    settings = {**shipped.settings, "stands_in_for": "ship date"}
    received = ProposedColumn(shipped.source, settings, "as answered", (), shipped.origin)
    return replace(shipments, columns={**shipments.columns, "received_at": received}), []


def with_promise(feeds: MutableMapping[str, ProposedFeed], answers: Answers) -> Question | None:
    """Let the requested date stand in for the promised date, if the answer says so. Return an open question."""
    known = [feed for feed in ("orders", "order_lines") if feed in feeds]
    dated = [feed for feed in known if "requested_by" in feeds[feed].columns]
    if not dated or any("promised_by" in feeds[feed].columns for feed in known):
        return None
    requested = feeds[dated[0]].columns["requested_by"]
    text = f"{feeds[dated[0]].table}: no column has the promised date. "
    text += f"Let the requested date {requested.origin!r} stand in?"
    question = Question("promise", text, (NO_PROMISE, REQUESTED_AS_PROMISED), NO_PROMISE)
    if question.key not in answers:
        return question
    if answers[question.key] == REQUESTED_AS_PROMISED:
        for feed in dated:
            one = feeds[feed].columns["requested_by"]
            settings = {**one.settings, "stands_in_for": "requested date"}
            promised = ProposedColumn(one.source, settings, "as answered", (), one.origin)
            feeds[feed] = replace(feeds[feed], columns={**feeds[feed].columns, "promised_by": promised})
    return None


def _lines(lines: ProposedFeed) -> ProposedFeed:
    """Return the shipment lines: the order lines, with the ordered quantity standing in for the shipped quantity."""
    sources = {"shipment_id": "order_id", "shipment_line_no": "line_no", "order_id": "order_id", "line_no": "line_no",
               "product_id": "product_id", "shipped_qty": "ordered_qty"}  # fmt: skip
    selected = lines.origin.get("select")
    columns = {}
    for target, source in sources.items():
        if source in lines.columns:
            one = lines.columns[source]
            settings = dict(one.settings)
            if target == "shipped_qty":
                settings["stands_in_for"] = "ordered quantity"
            name = target if selected else one.source
            columns[target] = ProposedColumn(name, settings, "of the order line", (), one.origin)
    if not selected:
        return ProposedFeed(lines.table, lines.origin, columns)
    listed = ", ".join(f"{source} as {target}" for target, source in sources.items() if source in lines.columns)
    return ProposedFeed(lines.table, {"select": f"select {listed}\nfrom (\n{selected}\n)"}, columns)
