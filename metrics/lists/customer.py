"""Master data of one customer on a day, and the customers with most orders."""

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection, select

from metrics.facts.orders.tables import NONE
from metrics.lists.order_story import version_on
from metrics.lists.rows import Row
from metrics.measures.package_terms import Package, package_on, packages
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.schema import customers, policies


@dataclass(frozen=True)
class CustomerRecord:
    """A customer as of a day. `record` is empty if the customers feed does not have the customer."""

    record: Row
    package: Package | None
    contract: Row
    """The version of the contract that judges the customer's orders; empty if there is none."""


def customer_record(connection: Connection, customer_id: str, day: date) -> CustomerRecord:
    """Return the version of a customer that applies on a day, with its package and contract."""
    record = version_on(connection, customers, "customer_id", customer_id, day)
    segment, policy = record.get("service_segment"), record.get("policy_id")
    return CustomerRecord(
        record,
        package_on(packages(connection), segment, day) if segment else None,
        version_on(connection, policies, "policy_id", policy, day) if policy else {},
    )


def customers_with_most_orders(connection: Connection, question: Question, size: int, day: date) -> list[Row]:
    """Return the customers with most judged orders in the period and filters of a question without measures.

    Rows: `customer`, `name` on the day (None: not known), `judged_orders`, `failed_orders`; at most `size`.
    """
    asked = replace(question, measures=("judged_orders", "failed_orders"), by=("customer",))
    found: dict[str, Row] = {}
    for one in answer(connection, asked):
        name = one.dimensions["customer"]
        if name not in (None, NONE):
            found.setdefault(name, {"customer": name})[one.measure] = int(one.value or 0)
    largest = sorted(found.values(), key=lambda row: (-row.get("judged_orders", 0), row["customer"]))[:size]
    names = customer_names(connection, day)
    return [{**row, "name": names.get(row["customer"])} for row in largest]


def customer_names(connection: Connection, day: date) -> dict[str, str]:
    """Return the name of every customer as of a day, by number. Customers without a name are left out.

    The name is that of the version that applied on the day, or of the first version if none applied yet.
    """
    c = customers.c
    versions = connection.execute(
        select(c.customer_id, c.name, c.valid_from).where(c.deleted.is_(False)).order_by(c.customer_id, c.valid_from)
    )
    names: dict[str, str | None] = {}
    for customer_id, name, valid_from in versions:
        if valid_from <= day or customer_id not in names:
            names[customer_id] = name
    return {customer_id: name for customer_id, name in names.items() if name}
