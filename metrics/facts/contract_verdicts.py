"""Orders judged under the customer's contract.

Grain: one row per sale order of a customer with a contract. Key: order_id.
Stale rows: those of orders that the run judges again, also because `next_change_at` has passed.
Source: R35 (valid on order day), P10 (strict next to contract).

The contract is the version of the customer's policy that was valid on the day of the order. Settings that the policy
leaves empty are strict. Versions with equal settings are judged together. If the settings equal the strict policy, the
strict verdicts are copied.
"""

from collections.abc import Iterator

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    RowMapping,
    Select,
    String,
    Table,
    cast,
    insert,
    select,
)

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, only_stale
from metrics.facts.orders.tables import DIMENSION_COLUMNS, GOODS_VERDICTS, order_facts_table
from metrics.facts.rejudge import rejudge
from metrics.facts.versions import valid_on, versions
from metrics.policy import STRICT, Policy
from metrics.schema import customers, policies
from metrics.sql.dialects import Expression, Rows
from metrics.sql.temporary_tables import temporary_table

contract_facts_table = fact_table(
    "contracts",
    "order",
    "one row: one sale order judged under the contract of its customer",
    Column("order_id", String),
    Column("policy_id", String),
    Column("ordered_day", Date),
    Column("due_day", Date, comment="due day of the strict judgement, whatever the contract"),
    Column("state", String),
    *[column for name in GOODS_VERDICTS for column in (Column(name, Boolean), Column(f"{name}_reason", String))],
    Column("perfect_order", Boolean),
    Column("deadline_at", DateTime),
    Column("settled_at", DateTime),
    Column("next_change_at", DateTime),
)

_JUDGED = (
    "state",
    *[name for verdict in GOODS_VERDICTS for name in (verdict, f"{verdict}_reason")],
    "perfect_order",
    "deadline_at",
    "settled_at",
    "next_change_at",
)
_SETTINGS = (
    "timing",
    "early_tolerance_days",
    "early_tolerance_hours",
    "late_tolerance_days",
    "late_tolerance_hours",
    "under_tolerance_share",
    "over_tolerance_share",
    "claims_days",
    "invoice_days",
    "anchor",
)
_TEXT, _DAY, _NUMBER = String(), Date(), Integer()


def policy_of(row: RowMapping) -> Policy:
    """Return the policy that a row of the feed `policies` describes. Empty settings are strict.

    Raises ValueError, which names the row and the invalid setting.
    """
    try:
        return Policy(**{name: row[name] for name in _SETTINGS if row[name] is not None})
    except ValueError as error:
        raise ValueError(f"policies {row['policy_id']}, valid from {row['valid_from']}: {error}") from None


def select_rows(connection: Connection, context: BuildContext) -> Iterator[Rows]:
    """Yield the orders under contract, one SELECT per distinct policy."""
    if not {"customers.policy_id", "policies.policy_id"} <= context.mapped:
        return
    policy_rows = connection.execute(select(policies).where(~policies.c.deleted)).mappings().all()
    judged_by = {(row["policy_id"], row["valid_from"]): policy_of(row) for row in policy_rows}
    if not judged_by:
        return
    distinct = list(dict.fromkeys(judged_by.values()))
    numbered = temporary_table("contract_versions", {"policy_id": _TEXT, "valid_from": _DAY, "settings_no": _NUMBER})
    under_contract = temporary_table(
        "orders_under_contract", {"order_id": _TEXT, "policy_id": _TEXT, "settings_no": _NUMBER}
    )
    numbered.create(connection)
    under_contract.create(connection)
    connection.execute(
        insert(numbered),
        [
            {"policy_id": name, "valid_from": day, "settings_no": distinct.index(policy)}
            for (name, day), policy in judged_by.items()
        ],
    )
    connection.execute(
        insert(under_contract).from_select(["order_id", "policy_id", "settings_no"], _under_contract(numbered, context))
    )
    for number, policy in enumerate(distinct):
        same_policy = select(under_contract).where(under_contract.c.settings_no == number).subquery("same_policy")
        if policy == STRICT:
            yield _rows(same_policy, order_facts_table)
            continue
        with rejudge(
            connection, "judged_by_contract", policy, context, select(same_policy.c.order_id), _JUDGED
        ) as judged:
            yield _rows(same_policy, judged)
    under_contract.drop(connection)
    numbered.drop(connection)


def _under_contract(numbered: Table, context: BuildContext) -> Select[tuple[str, str, int]]:
    """Return order_id, policy_id and settings_no of every sale order whose customer had a contract that day."""
    o = order_facts_table.c
    customer = versions(customers, ("customer_id",), ("policy_id",))
    contract = versions(policies, ("policy_id",), ())
    tables: FromClause = order_facts_table.join(customer, valid_on(customer, o.ordered_day, customer_id=o.customer_id))
    tables = tables.join(contract, valid_on(contract, o.ordered_day, policy_id=customer.c.policy_id))
    tables = tables.join(
        numbered, (numbered.c.policy_id == contract.c.policy_id) & (numbered.c.valid_from == contract.c.valid_from)
    )
    tables = only_stale(tables, o.order_id, context)
    return (
        select(o.order_id, contract.c.policy_id, numbered.c.settings_no)
        .select_from(tables)
        .where(o.order_type == "sale")
    )


def _rows(under_contract: FromClause, judged: FromClause) -> Rows:
    """Return the fact table's rows of the orders in `under_contract`.

    judged: the verdicts of these orders under the contract.
    """
    o = order_facts_table.c
    tables: FromClause = under_contract.join(order_facts_table, o.order_id == under_contract.c.order_id)
    if judged is not order_facts_table:
        tables = tables.join(judged, judged.c.order_id == under_contract.c.order_id)
    columns: dict[str, Expression] = {
        name: o[name] for name in ("order_id", "ordered_day", "due_day", *DIMENSION_COLUMNS)
    }
    columns |= {name: judged.c[name] for name in _JUDGED} | {"policy_id": under_contract.c.policy_id}
    return select(
        *[cast(columns[column.name], column.type).label(column.name) for column in contract_facts_table.columns]
    ).select_from(tables)


FACT_TABLES: tuple[FactTable, ...] = (FactTable(contract_facts_table, select_rows, key="order_id"),)
