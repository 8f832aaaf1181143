"""The buyer's view held to other standards: by the request, by the latest promise, per delivery group, and under the
customer's contract.

None of them is shown without the strict result beside it. Source: rules P10, R1, R4, R10, R16, R35, section 5.
"""

from sqlalchemy import and_

from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.contract_verdicts import contract_facts_table
from metrics.facts.delivery_groups import group_facts_table
from metrics.measures.buyers_view import PERFECT_ORDER
from metrics.measures.formulas import judged, order_share
from metrics.measures.needs import BILLING_FEEDS, CORE_FEEDS, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Measure, Need, Part, Ratio

NEEDS_REQUEST = Need(
    ("orders.requested_by", "order_lines.requested_by"), "no data: requested_by (map it in orders or order_lines)"
)
NEEDS_REVISIONS = Need(("promises.promised_by",), "no feed: promises")
NEEDS_CONTRACT = Need(("customers.policy_id",), "no feed: customers.policy_id")
NEEDS_POLICIES = Need(("policies.policy_id",), "no feed: policies")

ON_TIME_REQUESTED = order_share(
    "on_time_requested",
    "Orders received on time, as requested",
    judged(anchor_facts_table.c.on_time_requested, anchor_facts_table.c.state_requested),
    "Orders of which every line's needed quantity was received by the date the buyer asked for, whatever was promised.",
    "brief; rules R1",
    CORE_FEEDS,
    facts=anchor_facts_table,
    short="On time, request",
    needs=(NEEDS_REQUEST, NEEDS_RECEIPT),
)
ON_TIME_CURRENT_PROMISE = order_share(
    "on_time_current_promise",
    "Orders received on time, by the latest promise",
    judged(anchor_facts_table.c.on_time_current, anchor_facts_table.c.state_current),
    "Orders of which every line's needed quantity was received by the promise as last changed, whoever changed it. Kinder than the first promise: "
    "a seller who moves a promise is never late by it.",
    "rules R1",
    (*CORE_FEEDS, "promises"),
    facts=anchor_facts_table,
    short="On time, latest promise",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_REVISIONS),
)
g = group_facts_table.c
PERFECT_GROUP = order_share(
    "perfect_group",
    "Perfect delivery groups",
    Ratio(
        Part(and_(g.state == "judged", g.perfect_group.is_(True))),
        Part(and_(g.state == "judged", g.perfect_group_known)),
        Part(and_(g.state == "judged", g.perfect_group.is_(None))),
        Part(g.state == "judged"),
    ),
    "Delivery groups (the lines of one order with one deadline) that pass all five tests, each group judged as an order of its own.",
    "SCOR-derived glossaries",
    (*CORE_FEEDS, *BILLING_FEEDS),
    facts=group_facts_table,
    short="Perfect group",
    numerator="delivery groups with all five verdicts true",
    denominator="judged delivery groups with all five verdicts known (nothing received counts as known)",
    needs=PERFECT_ORDER.needs,
)
ON_TIME_GROUP = order_share(
    "on_time_group",
    "Delivery groups received on time",
    judged(g.on_time, g.state),
    "Delivery groups (the lines of one order with one deadline) of which every line's needed quantity was received by its first promise.",
    "rules R16",
    CORE_FEEDS,
    facts=group_facts_table,
    short="On time, groups",
    numerator="delivery groups on time",
    denominator="judged delivery groups whose verdict is known",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
contract = contract_facts_table.c
_JUDGED_SO = (
    "Each order is judged by the policy its customer had on the order's day; what the contract leaves open is strict. "
    "Read it beside the strict measure on the same customers."
)


def _under_contract(
    name: str, title: str, short: str, formula: Ratio, definition: str, feeds: tuple[str, ...], needs: tuple[Need, ...]
) -> Measure:
    return order_share(
        name,
        title,
        formula,
        f"{definition} {_JUDGED_SO}",
        "brief; rules P10, R35",
        (*feeds, "customers", "policies"),
        facts=contract_facts_table,
        numerator="orders under contract whose verdict is true",
        denominator="judged orders under contract whose verdict is known",
        exclusions=f"{PENDING} Orders of customers without a contract on that day.",
        short=short,
        needs=(NEEDS_CONTRACT, NEEDS_POLICIES, *needs),
    )


ON_TIME_CONTRACT = _under_contract(
    "on_time_contract",
    "Orders received on time, under contract",
    "On time, contract",
    judged(contract.on_time, contract.state),
    "Orders of which every line's needed quantity was received by the deadline (in a window contract: inside the window) of the contract.",
    CORE_FEEDS,
    (NEEDS_PROMISE, NEEDS_RECEIPT),
)
OTIF_CONTRACT = _under_contract(
    "otif_contract",
    "On time in full, under contract",
    "OTIF, contract",
    judged(contract.otif, contract.state),
    "Orders of which all that was owed, less the tolerance agreed, came by the deadline of the contract.",
    CORE_FEEDS,
    (NEEDS_PROMISE, NEEDS_RECEIPT),
)
PERFECT_ORDER_CONTRACT = _under_contract(
    "perfect_order_contract",
    "Perfect orders, under contract",
    "Perfect, contract",
    Ratio(
        Part(and_(contract.state == "judged", contract.perfect_order.is_(True))),
        Part(and_(contract.state == "judged", contract.perfect_order_known)),
        Part(and_(contract.state == "judged", contract.perfect_order.is_(None))),
        Part(contract.state == "judged"),
    ),
    "Orders that pass all five tests by the tolerances, windows and claims and invoice days of the contract.",
    (*CORE_FEEDS, *BILLING_FEEDS),
    PERFECT_ORDER.needs,
)

MEASURES = (
    PERFECT_GROUP,
    ON_TIME_GROUP,
    ON_TIME_REQUESTED,
    ON_TIME_CURRENT_PROMISE,
    ON_TIME_CONTRACT,
    OTIF_CONTRACT,
    PERFECT_ORDER_CONTRACT,
)
