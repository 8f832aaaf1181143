"""Cases in which rows of the invoice facts depend on records other than those of their own invoice or order."""

from metrics.facts.invoices import invoice_facts_table
from tests.metrics.rebuild.case_records import Case, Parts, billed, late, reversal
from tests.support import builders
from tests.support.ask_measures import together

FIRST_FILE, LATEST_FILE = 1, 2


def line(invoice_id: str, number: str, order_id: str | None, file_id: int = FIRST_FILE, **values: object) -> Parts:
    """One line of an invoice, loaded by the first or by the latest run."""
    if order_id is None:
        values |= {"line_no": None}
    body = builders.invoice_line(invoice_id=invoice_id, invoice_line_no=number, order_id=order_id, **values)
    return {"invoice_lines": [body | {"file_id": file_id}]}


def header(invoice_id: str, **values: object) -> Parts:
    """An invoice without lines."""
    return {"invoices": [builders.invoice(invoice_id=invoice_id, **values)]}


def case(name: str, before: Parts, after: Parts, *touched: str, always: Parts) -> Case:
    return Case(name, before, after, touched, (invoice_facts_table,), always)


INVOICES = (
    # A new invoice has no row that could show what is stale.
    case("newinv", {}, billed("newinv", "newinv1"), "newinv1", always=late("newinv1", "newinv")),
    # A second invoice of a line bills too much. The first invoice stays right, and the one between becomes wrong.
    case(
        "twice",
        {},
        billed("twiceA", "twice1", invoiced_at="2026-03-08"),
        "twice1",
        always=together(late("twice1", "twice"), billed("twiceB", "twice1")),
    ),
    # The order of one of two lines changes its price. The invoice belongs to both orders.
    case(
        "price",
        together(late("price1", "price"), line("priceI", "1", "price1")),
        together(
            late("price1", "price"),
            line("priceI", "1", "price1", LATEST_FILE, unit_price_amount="6.00", line_amount="500.00"),
        ),
        "price1",
        always=together(late("price2", "price"), header("priceI"), line("priceI", "2", "price2")),
    ),
    # A line moves from one order to another.
    case(
        "moves",
        line("movesI", "1", "moves1"),
        line("movesI", "1", "moves2", LATEST_FILE),
        "moves1",
        "moves2",
        always=together(late("moves1", "moves"), late("moves2", "moves", channel="web"), header("movesI")),
    ),
    # A line of one of two orders names no order any more. Only its former order has changed.
    case(
        "unnamed",
        line("unnamedI", "1", "unnamed1"),
        line("unnamedI", "1", None, LATEST_FILE),
        "unnamed1",
        always=together(
            late("unnamed1", "unnamed"),
            late("unnamed2", "unnamed"),
            header("unnamedI"),
            line("unnamedI", "2", "unnamed2"),
        ),
    ),
    # All lines of a document of two orders go to quarantine.
    case(
        "gone",
        together(line("goneI", "1", "gone1"), line("goneI", "2", "gone2")),
        {},
        "gone1",
        "gone2",
        always=together(late("gone1", "gone"), late("gone2", "gone"), header("goneI")),
    ),
    # The only line of an invoice goes to quarantine.
    case(
        "lone",
        line("loneI", "1", "lone1"),
        {},
        "lone1",
        always=together(late("lone1", "lone"), header("loneI")),
    ),
    # A reversal without lines takes an invoice of two orders back.
    case(
        "taken",
        {},
        reversal("takenR", "takenI", invoiced_at="2026-03-12"),
        "taken1",
        "taken2",
        always=together(late("taken1", "taken"), late("taken2", "taken"), billed("takenI", "taken1", "taken2")),
    ),
    # A credit for a billing error names the order line only. It makes the invoice of that line wrong.
    case(
        "credit",
        {},
        together(
            header("creditC", invoice_kind="credit", credit_reason="billing", invoiced_at="2026-03-20"),
            line("creditC", "1", "credit1"),
        ),
        "credit1",
        always=together(late("credit1", "credit"), late("credit2", "credit"), billed("creditI", "credit1", "credit2")),
    ),
    # The invoice of a deleted order belongs to its other order.
    case(
        "erased",
        late("erased1", "erased"),
        late("erased1", "erased", deleted=True),
        "erased1",
        always=together(late("erased2", "erased"), billed("erasedI", "erased1", "erased2")),
    ),
)
"""Changes of invoice facts."""
