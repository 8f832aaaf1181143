"""SELECTs that split an extract, a row per order line with its delivery and invoice, into the feeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingest.inference.assignment import Answers, Question
from ingest.inference.evidence import agreeing_share, unique_share
from ingest.inference.matching import Candidate
from ingest.inference.tables import Found
from ingest.mapping.columns import text_column
from ingest.mapping.mapping_file import mappable, required
from ingest.storage.scratch_database import Connection, quoted
from metrics.schema import FEEDS

STAGED = "extract"
"""Name of the extract in the mapping: [staged.extract]."""
MASTER = ("customers", "products")
HEADERS = {"orders": "order_id", "shipments": "shipment_id", "invoices": "invoice_id", "customers": "customer_id",
           "products": "product_id"}  # fmt: skip
"""Feeds of which the extract has several rows per record, and their keys."""
ORDERED_AS_SHIPPED = "yes: the ordered quantity left on the ship date"


@dataclass
class Extract:
    """A flat table while it is split."""

    connection: Connection
    table: Found
    chosen: dict[str, Candidate]
    answers: Answers
    alternatives: dict[str, list[str]] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    unmapped: dict[str, str] = field(default_factory=dict)

    def ask(self, question: Question) -> str | None:
        """Return the answer to a question, and note the question if it has none."""
        if question.key not in self.answers and question.key not in {one.key for one in self.questions}:
            self.questions.append(question)
        return self.answers.get(question.key)

    def is_open(self, target: str) -> bool:
        """Return True if a question that decides this column has no answer yet.

        Questions of the whole table, such as the order of day and month, decide all columns.
        """
        decides = (f"extract.{target}", f"{self.table.name}: ")
        return any(target in one.choices or one.key.startswith(decides) for one in self.questions)

    def name(self, target: str) -> str:
        """Return the SQL of a chosen column."""
        return quoted(text_column(self.chosen[target].column))

    def of_feed(self, feed: str) -> dict[str, str]:
        """Return the chosen columns of a feed: its column, then the name under which it was chosen."""
        found = {}
        for column in mappable(FEEDS[feed]):
            for key in (f"{feed}.{column}", column):
                if key in self.chosen:
                    found[column] = key
                    break
        return found


def select_of(extract: Extract, feed: str, columns: Mapping[str, str]) -> str | None:
    """Return the SELECT of a feed, or None if the extract lacks what the feed needs."""
    if feed == "order_lines":
        return _order_lines(extract, columns)
    if feed in ("orders", *MASTER):
        lacking = [column for column in required(feed) if column not in columns]
        if lacking or (feed in MASTER and len(columns) < 2):
            return None
        return _grouped(extract, HEADERS[feed], columns)
    if feed in ("shipments", "shipment_lines"):
        return _shipments(extract, feed, columns)
    if "invoice_id" not in columns or "invoices.invoiced_at" not in extract.chosen:
        return None
    if "invoice_lines.line_amount" not in extract.chosen:
        return None
    if feed == "invoices":
        return _grouped(extract, "invoice_id", columns, where=f"{extract.name('invoice_id')} is not null")
    return _lines(extract, "invoice_id", "invoice_line_no", columns, f"{extract.name('invoice_id')} is not null")


def _grouped(extract: Extract, key: str, columns: Mapping[str, str], where: str = "") -> str:
    listed = [f"{extract.name(key)} as {key}"]
    listed += [f"min_by({extract.name(one)}, _row_no) as {column}" for column, one in columns.items() if column != key]
    return _statement(listed, where, "group by 1\norder by min(_row_no)")


def _order_lines(extract: Extract, columns: Mapping[str, str]) -> str | None:
    if "ordered_qty" not in columns:
        return None
    keys = [extract.chosen[one].column for one in ("order_id", "line_no") if one in extract.chosen]
    repeated = "line_no" in extract.chosen and unique_share(extract.connection, extract.table.relation, keys) < 1
    line = line_number(extract)
    if repeated or _by_product(extract):
        listed = [f"{extract.name('order_id')} as order_id", f"{line} as line_no"]
        rest = _besides_key(columns)
        inner = [f"{extract.name(key)} as {column}" for column, key in rest]
        outer = [f"min_by({column}, _row_no) as {column}" for column, _ in rest]
        rows = _statement([*listed, *inner, "_row_no"], "", "")
        return (
            f"select order_id, line_no, {', '.join(outer)}\nfrom (\n{rows}\n)\n"
            "group by order_id, line_no\norder by min(_row_no)"
        )
    listed = [f"{extract.name('order_id')} as order_id", f"{line} as line_no"]
    listed += [f"{extract.name(key)} as {column}" for column, key in _besides_key(columns)]
    return _statement(listed, "", "order by _row_no")


def _besides_key(columns: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(column, key) for column, key in columns.items() if column not in ("order_id", "line_no")]


def line_number(extract: Extract) -> str:
    """Return the SQL of the line number: a column, the number of the product in its order, or that of the row."""
    if "line_no" in extract.chosen:
        return extract.name("line_no")
    order = extract.name("order_id")
    if _by_product(extract):
        return f"dense_rank() over (partition by {order} order by {extract.name('product_id')})"
    product = f"{extract.name('product_id')}, " if "product_id" in extract.chosen else ""
    return f"row_number() over (partition by {order} order by {product}_row_no)"


def _by_product(extract: Extract) -> bool:
    """Return True if one line of an order has several rows: one product and ordered quantity, several shipments."""
    needed = ("product_id", "shipment_id", "order_lines.ordered_qty")
    if "line_no" in extract.chosen or any(one not in extract.chosen for one in needed):
        return False
    keys = [extract.chosen[one].column for one in ("order_id", "product_id")]
    relation = extract.table.relation
    quantity = extract.chosen["order_lines.ordered_qty"].column
    return (
        unique_share(extract.connection, relation, keys) < 1
        and agreeing_share(extract.connection, relation, keys, quantity) == 1
    )


def _shipments(extract: Extract, feed: str, columns: Mapping[str, str]) -> str | None:
    dates = [key for key in ("shipments.shipped_at", "shipments.received_at") if key in extract.chosen]
    quantity = "shipment_lines.shipped_qty"
    if not dates or (quantity not in extract.chosen and not _ordered_as_shipped(extract)):
        return None
    if "shipment_id" in extract.chosen:
        where = f"{extract.name('shipment_id')} is not null"
        if feed == "shipments":
            return _grouped(extract, "shipment_id", columns, where)
        return _lines(extract, "shipment_id", "shipment_line_no", columns, where)
    known = [extract.name(key) for key in (*dates, quantity) if key in extract.chosen]
    where = " or ".join(f"{one} is not null" for one in known)
    own = f"{extract.name('order_id')} || '-' || {line_number(extract)}"
    rest = [f"{extract.name(key)} as {column}" for column, key in _besides_key(columns)]
    listed = [f"{own} as shipment_id"]
    if feed == "shipment_lines":
        listed += [
            "1 as shipment_line_no",
            f"{extract.name('order_id')} as order_id",
            f"{line_number(extract)} as line_no",
        ]
        if quantity not in extract.chosen:
            rest.append(f"{extract.name('order_lines.ordered_qty')} as shipped_qty")
    rows = _statement([*listed, *rest, "_row_no", f"({where}) as _sent"], "", "")
    names_ = ", ".join(entry.rpartition(" as ")[2] for entry in (*listed, *rest))
    return f"select {names_}\nfrom (\n{rows}\n)\nwhere _sent\norder by _row_no"


def _ordered_as_shipped(extract: Extract) -> bool:
    if "order_lines.ordered_qty" not in extract.chosen or extract.is_open("shipment_lines.shipped_qty"):
        return False
    return extract.ask(quantity_question(extract.table.name)) == ORDERED_AS_SHIPPED


def quantity_question(table: str) -> Question:
    """Return the question whether ordered quantities stand in for shipped quantities."""
    text = f"{table}: no column has shipped quantities. Take the ordered quantity where a ship date is set?"
    return Question("shipped quantity", text, (ORDERED_AS_SHIPPED, "no"), ORDERED_AS_SHIPPED)


def _lines(extract: Extract, header: str, own: str, columns: Mapping[str, str], where: str) -> str:
    """Return the SELECT of the lines of shipments or invoices: numbered within their document."""
    number = f"row_number() over (partition by {extract.name(header)} order by _row_no)"
    listed = [f"{extract.name(header)} as {header}", f"{number} as {own}"]
    line = line_number(extract)
    rest = {column: key for column, key in columns.items() if column not in (header, own, "line_no")}
    listed += [f"{extract.name(key)} as {column}" for column, key in rest.items()]
    if own == "shipment_line_no" and "shipped_qty" not in columns:
        listed.append(f"{extract.name('order_lines.ordered_qty')} as shipped_qty")
    if _repeated(extract, header, columns):
        inner = _statement([*listed[:1], *listed[2:], f"{line} as line_no", "_row_no"], where, "")
        return (
            f"select {header}, row_number() over (partition by {header} order by min(_row_no)) as {own}, order_id, "
            f"line_no, {', '.join(f'min_by({one}, _row_no) as {one}' for one in rest if one != 'order_id')}\n"
            f"from (\n{inner}\n)\ngroup by {header}, order_id, line_no\norder by min(_row_no)"
        )
    if "line_no" in extract.chosen:
        return _statement([*listed, f"{line} as line_no"], where, "order by _row_no")
    rows = _statement([*listed, f"{line} as line_no", "_row_no", f"({where}) as _sent"], "", "")
    names_ = ", ".join([*(entry.rpartition(" as ")[2] for entry in listed), "line_no"])
    return f"select {names_}\nfrom (\n{rows}\n)\nwhere _sent\norder by _row_no"


def _repeated(extract: Extract, header: str, columns: Mapping[str, str]) -> bool:
    """Return True if rows of one order line and document are one line of the document, and not several.

    A row per shipment repeats the invoice, and a row per invoice repeats the shipment. Where quantities of such rows
    differ, they are lines of their own. Where they are equal, it is a question.
    """
    keys = [extract.chosen[one].column for one in (header, "order_id", "line_no") if one in extract.chosen]
    quantity = columns.get("billed_qty") or columns.get("shipped_qty") or columns.get("line_amount")
    if len(keys) < 3 or quantity is None:
        return False
    relation = extract.table.relation
    if unique_share(extract.connection, relation, keys) == 1:
        return False
    if agreeing_share(extract.connection, relation, keys, extract.chosen[quantity].column) < 1:
        return False
    one, several = "one line, written on several rows", "several lines of the same quantity"
    text = f"{extract.table.name}: rows of one order line and {header} have the same {quantity}. Are they one line?"
    return extract.ask(Question(f"repeated {header}", text, (one, several), one)) == one


def _statement(listed: Sequence[str], where: str, end: str) -> str:
    parts = ["select\n  " + ",\n  ".join(listed), f"from {STAGED}"]
    return "\n".join([*parts, *([f"where {where}"] if where else []), *([end] if end else [])])
