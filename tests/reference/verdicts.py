"""Entry points of the reference implementation: judge all orders, by one policy or by the customers' contracts.

The reference implementation applies the rules in slow, plain Python, one order line at a time. It does not use the SQL
in `metrics`. Both must agree on every verdict, reason and quantity
(tests/metrics/facts/orders/test_reference_agrees.py). docs/rules.md has the rules. docs/judgement.md has their
interpretation. Order lines are in lines.py, orders in orders.py, clocks in cycle_times.py, money in money.py and
stockouts in stockouts.py.
"""

from datetime import date, datetime

from tests.reference.dates import event, local_day, span
from tests.reference.findings import Finding, together
from tests.reference.inputs import POLICY_COLUMNS, STRICT, Inputs, Policy, Records
from tests.reference.judgements import Judgement, LineJudgement, OrderJudgement
from tests.reference.lines import LineJudging
from tests.reference.orders import OrderJudging


def judge(records: Records, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> Judgement:
    """Judge every order of the records at `as_of` (UTC, no zone).

    policy: the keys that differ from `STRICT`. mapped: `feed.column` for each column with a source. A feed without a
    mapped column is absent.
    """
    return judge_orders(Inputs(records, {**STRICT, **policy}, as_of, mapped))


def judge_orders(inputs: Inputs, only: frozenset[str] | None = None) -> Judgement:
    """Judge every order placed by `as_of`, or only the orders with these ids."""
    lines: dict[tuple[str, str], LineJudgement] = {}
    orders: dict[str, OrderJudgement] = {}
    for order in inputs.feeds["orders"]:
        ordered = event(order, "ordered_at", order["ship_to_time_zone"])
        if ordered is None or ordered > inputs.as_of or (only is not None and order["order_id"] not in only):
            continue
        judged = [LineJudging(inputs, order, line) for line in inputs.rows("order_lines", order["order_id"])]
        orders[order["order_id"]] = OrderJudging(inputs, order, judged).judgement()
        lines |= {line.keys: line.judgement for line in judged}
    return Judgement(lines, orders)


def invoices(inputs: Inputs) -> dict[str, Finding]:
    """Judge every invoice that names a line of a sale: right first time, or the first thing that was wrong."""
    found: dict[str, list[Finding]] = {}
    for order in inputs.feeds["orders"]:
        ordered = event(order, "ordered_at", order["ship_to_time_zone"])
        if ordered is None or ordered > inputs.as_of or order["order_type"] not in (None, "sale"):
            continue
        lines = [LineJudging(inputs, order, line) for line in inputs.rows("order_lines", order["order_id"])]
        settled = OrderJudging(inputs, order, lines).settled
        for line in lines:
            for invoice_id, parts in line.by_document(settled).items():
                found.setdefault(invoice_id, []).extend(parts)
    return {invoice_id: together(parts) for invoice_id, parts in found.items()}


def contracts(records: Records, as_of: datetime, mapped: frozenset[str]) -> dict[str, tuple[str, OrderJudgement]]:
    """Judge each order by the contract of its customer on the order day: order_id to (policy_id, judgement).

    Orders without a contract are left out. Source: R35 (valid on order day).
    """
    strict = Inputs(records, STRICT, as_of, mapped)
    orders_of_contract: dict[tuple[str, date], list[str]] = {}
    for order in strict.feeds["orders"]:
        ordered = span(order, "ordered_at", order["ship_to_time_zone"])
        assert ordered is not None
        day = local_day(ordered.first, order["ship_to_time_zone"])
        customer = strict.version("customers", "customer_id", order["customer_id"], day) or {}
        contract = strict.version("policies", "policy_id", customer.get("policy_id"), day)
        if contract is not None:
            orders_of_contract.setdefault((contract["policy_id"], contract["valid_from"]), []).append(order["order_id"])
    judged_orders: dict[str, tuple[str, OrderJudgement]] = {}
    for (policy_id, valid_from), order_ids in orders_of_contract.items():
        row = strict.version("policies", "policy_id", policy_id, valid_from)
        assert row is not None
        policy = {name: row[name] for name in POLICY_COLUMNS if row[name] is not None}
        inputs = Inputs(records, {**STRICT, **policy}, as_of, mapped)
        judged = judge_orders(inputs, only=frozenset(order_ids))
        judged_orders |= {order_id: (policy_id, order) for order_id, order in judged.orders.items()}
    return judged_orders
