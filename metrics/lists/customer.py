"""Master data of one customer: name, segment, representative, package and contract on a day."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from metrics.lists.order_story import version_on
from metrics.lists.rows import Row
from metrics.measures.package_terms import Package, package_on, packages
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
