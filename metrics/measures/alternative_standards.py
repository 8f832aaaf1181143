"""The buyer's view by other standards: the request, the latest promise, the delivery group, the customer's contract.

Every page shows the strict result next to them. Source: P10 (strict next to contract), R1 (anchor date), R4 (windows
and tolerances), R10 (under-delivery tolerance), R16 (delivery groups), R35 (valid on order day); docs/rules.md,
policies.
"""

from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.contract_verdicts import contract_facts_table
from metrics.facts.delivery_groups import group_facts_table
from metrics.measures.buyers_view import PERFECT_ORDER
from metrics.measures.formulas import combined, judged, order_share
from metrics.measures.needs import (
    BILLING_FEEDS,
    CORE_FEEDS,
    NEEDS_PROMISE,
    NEEDS_PROMISE_HISTORY,
    NEEDS_RECEIPT,
    NEEDS_REQUEST,
    PENDING,
)
from metrics.measures.windows import both_windows
from metrics.model.measure import Need

NEEDS_CONTRACT = Need(("customers.policy_id",))
NEEDS_POLICIES = Need(("policies.policy_id",))

ON_TIME_REQUESTED = order_share(
    name="on_time_requested",
    title="Orders received on time, by the request",
    short="On time, request",
    facts=anchor_facts_table,
    formula=judged(anchor_facts_table.c.on_time_requested, anchor_facts_table.c.state_requested),
    definition=(
        "Orders whose lines were all received in the needed quantity by the date that the buyer requested, whatever "
        "was promised."
    ),
    source="R1 (anchor date)",
    feeds=CORE_FEEDS,
    needs=(NEEDS_REQUEST, NEEDS_RECEIPT),
)
ON_TIME_CURRENT_PROMISE = order_share(
    name="on_time_current_promise",
    title="Orders received on time, by the latest promise",
    short="On time, latest promise",
    facts=anchor_facts_table,
    formula=judged(anchor_facts_table.c.on_time_current, anchor_facts_table.c.state_current),
    definition=(
        "Orders whose lines were all received in the needed quantity by the promise as last changed, whoever changed "
        "it. Kinder than the first promise: a moved promise hides the delay."
    ),
    source="R1 (anchor date)",
    feeds=(*CORE_FEEDS, "promises"),
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_PROMISE_HISTORY),
)
g = group_facts_table.c
PERFECT_GROUP = order_share(
    name="perfect_group",
    title="Perfect delivery groups",
    short="Perfect group",
    facts=group_facts_table,
    formula=combined(g.perfect_group, g.state),
    definition=(
        "Delivery groups that pass all five tests. A group is the lines of an order with the same deadline, and it is "
        "judged like an order."
    ),
    numerator="delivery groups with all five verdicts true",
    denominator="judged delivery groups that pass all five tests or fail one, whatever the other tests are",
    source="SCOR-derived glossaries",
    feeds=(*CORE_FEEDS, *BILLING_FEEDS),
    needs=PERFECT_ORDER.needs,
    windows=both_windows(g.perfect_group, group_facts_table),
)
ON_TIME_GROUP = order_share(
    name="on_time_group",
    title="Delivery groups received on time",
    short="On time, groups",
    facts=group_facts_table,
    formula=judged(g.on_time, g.state),
    definition=(
        "Delivery groups whose lines were all received in the needed quantity by the first promised date. A group is "
        "the lines of an order with the same deadline."
    ),
    numerator="delivery groups on time",
    denominator="judged delivery groups whose verdict is known",
    source="R16 (delivery groups)",
    feeds=CORE_FEEDS,
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
contract = contract_facts_table.c
_JUDGED_SO = (
    "Each order is judged by the policy of its customer on the day of the order. Strict rules apply where the "
    "contract sets none. Compare it with the strict measure for the same customers."
)


ON_TIME_CONTRACT = order_share(
    name="on_time_contract",
    title="Orders received on time, under contract",
    short="On time, contract",
    facts=contract_facts_table,
    formula=judged(contract.on_time, contract.state),
    definition=(
        "Orders whose lines were all received in the needed quantity by the contract's deadline, or inside its window. "
        "Each order is judged by the policy of its customer on the day of the order. Strict rules apply where the "
        "contract sets none. Compare it with the strict measure for the same customers."
    ),
    numerator="orders under contract whose verdict is true",
    denominator="judged orders under contract whose verdict is known",
    exclusions=f"{PENDING} Also orders of customers without a contract on that day.",
    source="P10 (strict next to contract), R35 (valid on order day)",
    feeds=(*CORE_FEEDS, "customers", "policies"),
    needs=(NEEDS_CONTRACT, NEEDS_POLICIES, NEEDS_PROMISE, NEEDS_RECEIPT),
)
OTIF_CONTRACT = order_share(
    name="otif_contract",
    title="On time in full, under contract",
    short="OTIF, contract",
    facts=contract_facts_table,
    formula=judged(contract.otif, contract.state),
    definition=(
        "Orders of which everything owed, less the agreed tolerance, was received by the contract's deadline. Each "
        "order is judged by the policy of its customer on the day of the order. Strict rules apply where the contract "
        "sets none. Compare it with the strict measure for the same customers."
    ),
    numerator="orders under contract whose verdict is true",
    denominator="judged orders under contract whose verdict is known",
    exclusions=f"{PENDING} Also orders of customers without a contract on that day.",
    source="P10 (strict next to contract), R35 (valid on order day)",
    feeds=(*CORE_FEEDS, "customers", "policies"),
    needs=(NEEDS_CONTRACT, NEEDS_POLICIES, NEEDS_PROMISE, NEEDS_RECEIPT),
)
PERFECT_ORDER_CONTRACT = order_share(
    name="perfect_order_contract",
    title="Perfect orders, under contract",
    short="Perfect, contract",
    facts=contract_facts_table,
    formula=combined(contract.perfect_order, contract.state),
    definition=(
        "Orders that pass all five tests with the tolerances, windows, claim days and invoice days of the contract. "
        "Each order is judged by the policy of its customer on the day of the order. Strict rules apply where the "
        "contract sets none. Compare it with the strict measure for the same customers."
    ),
    numerator="orders under contract whose verdict is true",
    denominator="judged orders under contract whose verdict is known",
    exclusions=f"{PENDING} Also orders of customers without a contract on that day.",
    source="P10 (strict next to contract), R35 (valid on order day)",
    feeds=(*CORE_FEEDS, *BILLING_FEEDS, "customers", "policies"),
    needs=(NEEDS_CONTRACT, NEEDS_POLICIES, *PERFECT_ORDER.needs),
    windows=both_windows(contract.perfect_order, contract_facts_table),
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
