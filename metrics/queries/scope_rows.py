"""The visible rows of every table under a row scope, as SELECTs over the stored tables. `scope.py` makes views of them.

`scope_records.py` has the rules of the feeds. A table without a rule, or without the columns that its rule needs, is
empty.
"""

from collections.abc import Callable, Iterator

from sqlalchemy import (
    BigInteger,
    Table,
    and_,
    cast,
    exists,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    quoted_name,
    select,
    table,
    union_all,
)

from metrics.facts.orders import DIMENSION_COLUMNS
from metrics.queries.outdated import DECLARED
from metrics.queries.rollups import rollup_metadata
from metrics.queries.scope_conditions import (
    Rule,
    Stored,
    by_order,
    by_order_or_customer,
    by_own_dimensions,
    managed_customers,
    scope_customers,
    scope_managed,
    scope_orders,
    visible_customers,
    visible_orders,
    without_order,
)
from metrics.queries.scope_records import RULES
from metrics.schema import FEEDS
from metrics.sql.dialects import Expression, Rows

OF_WAREHOUSE = ("generations",)
"""Tables of the server that have no rows of the data. They stay as they are."""
ALL: Expression = literal_column("*")
KEYS: dict[str, Callable[[Stored], Rows]] = {
    scope_managed.name: managed_customers,
    scope_orders.name: visible_orders,
    scope_customers.name: visible_customers,
}
"""Helper tables for the conditions of the other tables, each after the tables that it needs."""


def views(stored: Stored) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the rows of every view. A view comes after the views that it reads."""
    for name, keys in KEYS.items():
        yield name, keys(stored)
    for name in sorted({*stored.columns} - {*COUNTED, *OF_WAREHOUSE}):
        yield name, _visible(stored, name)
    for name, rows in COUNTED.items():
        if name in stored.columns:
            yield name, rows(stored)


def _visible(stored: Stored, name: str) -> Rows:
    declared = DECLARED.get(name)
    if declared is None:
        return select(ALL).select_from(table(name, schema=quoted_name(stored.place, quote=False))).where(false())
    whole, rule = stored.table(name), RULES.get(name) or OF_FACTS.get(name)
    if rule is not None:
        visible = rule(stored, whole)
    elif name in rollup_metadata.tables:
        visible = by_own_dimensions(stored, whole)
    elif {"order_id", *DIMENSION_COLUMNS} <= {*whole.c.keys()}:
        visible = by_order_or_customer(stored, whole)
    else:
        visible = false()
    return select(ALL).select_from(whole).where(visible)


# ----------------------------------------------------------------------------------------------- facts and documents
def _books(stored: Stored, facts: Table) -> Expression:
    """Return the condition of visible orders, and of visible orders that only the buyer knows."""
    own = and_(facts.c.ours, by_order(stored, facts))
    return or_(own, and_(~facts.c.ours, without_order(stored, facts))) if stored.limits_customers_only else own


def _whole_documents(lines_of: str, key: str) -> Rule:
    """Return the rule of facts of documents whose orders are all visible, because they count the whole document."""

    def rule(stored: Stored, facts: Table) -> Expression:
        lines = stored.table(lines_of)
        of_others = and_(~lines.c.deleted, lines.c.order_id.is_not(None), ~by_order(stored, lines))
        hidden = exists().where(lines.c[key] == facts.c[key], of_others)
        return and_(facts.c[key].in_(select(lines.c[key]).where(by_order(stored, lines))), ~hidden)

    return rule


OF_FACTS: dict[str, Rule] = {
    **dict.fromkeys(("order_facts", "order_line_facts"), by_own_dimensions),
    **dict.fromkeys(("quote_facts", "quote_option_facts"), without_order),
    **dict.fromkeys(("invoice_facts", "payment_facts"), _whole_documents("invoice_lines", "invoice_id")),
    "shipment_facts": _whole_documents("shipment_lines", "shipment_id"),
    "book_facts": _books,
}
"""The rule of each fact table whose rows are not those of an order, or of a record with or without one."""


# --------------------------------------------------------------------------------------------------------- the run log
def _checks(stored: Stored) -> Rows:
    """Return the checks without their counts, which count all records."""
    counts = ("rows_checked", "rows_failed")
    rows = stored.table("checks")
    return select(*[cast(null(), c.type).label(c.name) if c.name in counts else c for c in rows.c])


def _run_files(stored: Stored) -> Rows:
    """Return the files with visible records, and the numbers of these. Records replaced since are not counted."""
    loaded = [
        select(feed.table.c.file_id, func.count().label("loaded"), literal(0).label("quarantined")).group_by(
            feed.table.c.file_id
        )
        for name, feed in FEEDS.items()
        if name in stored.columns
    ]
    q = DECLARED["quarantine"].c
    open_records = q.status.in_(("rejected", "waiting"))
    quarantined = select(q.file_id, literal(0), func.count()).where(open_records).group_by(q.file_id)
    each = union_all(*loaded, quarantined).subquery("counted")
    by_file = (
        select(
            each.c.file_id, func.sum(each.c.loaded).label("loaded"), func.sum(each.c.quarantined).label("quarantined")
        )
        .group_by(each.c.file_id)
        .subquery("by_file")
    )
    n, files = by_file.c, stored.table("run_files")
    counts = {
        "rows_staged": n.loaded + n.quarantined,
        "rows_in": n.loaded + n.quarantined,
        "rows_loaded": n.loaded,
        "rows_quarantined": n.quarantined,
        "rows_superseded": literal(0),
    }
    columns = [cast(counts[c.name], BigInteger).label(c.name) if c.name in counts else c for c in files.c]
    return select(*columns).join(by_file, n.file_id == files.c.file_id)


COUNTED: dict[str, Callable[[Stored], Rows]] = {"checks": _checks, "run_files": _run_files}
"""The tables whose columns count records: their views count visible records, or nothing."""
