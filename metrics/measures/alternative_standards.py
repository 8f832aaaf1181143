"""The buyer's view held to other standards: by the request, by the latest promise, per delivery group, and under the
customer's contract.

None of them is shown without the strict result beside it. Source: rules P10, R1, R4, R10, R16, R35, section 5.
"""

from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.contract_verdicts import contract_facts_table
from metrics.facts.delivery_groups import group_facts_table
from metrics.measures.buyers_view import PERFECT_ORDER
from metrics.measures.formulas import all_tests_passed, judged, order_share
from metrics.measures.needs import (
    BILLING_FEEDS,
    CORE_FEEDS,
    NEEDS_PROMISE,
    NEEDS_PROMISE_HISTORY,
    NEEDS_RECEIPT,
    NEEDS_REQUEST,
    PENDING,
)
from metrics.model.measure import Need

NEEDS_CONTRACT = Need(("customers.policy_id",), "no feed: customers.policy_id")
NEEDS_POLICIES = Need(("policies.policy_id",), "no feed: policies")

ON_TIME_REQUESTED = order_share(
    name="on_time_requested",
    title="Orders received on time, as requested",
    short="On time, request",
    facts=anchor_facts_table,
    formula=judged(anchor_facts_table.c.on_time_requested, anchor_facts_table.c.state_requested),
    definition="Orders of which every line's needed quantity was received by the date the buyer asked for, whatever was "
    "promised.",
    source="brief; rules R1",
    feeds=CORE_FEEDS,
    needs=(NEEDS_REQUEST, NEEDS_RECEIPT),
)
ON_TIME_CURRENT_PROMISE = order_share(
    name="on_time_current_promise",
    title="Orders received on time, by the latest promise",
    short="On time, latest promise",
    facts=anchor_facts_table,
    formula=judged(anchor_facts_table.c.on_time_current, anchor_facts_table.c.state_current),
    definition="Orders of which every line's needed quantity was received by the promise as last changed, whoever changed it. Kinder than the first promise: a seller who moves a promise is never late by it.",
    source="rules R1",
    feeds=(*CORE_FEEDS, "promises"),
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_PROMISE_HISTORY),
)
g = group_facts_table.c
PERFECT_GROUP = order_share(
    name="perfect_group",
    title="Perfect delivery groups",
    short="Perfect group",
    facts=group_facts_table,
    formula=all_tests_passed(g.perfect_group, g.perfect_group_known, g.state),
    definition="Delivery groups (the lines of one order with one deadline) that pass all five tests, each group judged as an order of its own.",
    numerator="delivery groups with all five verdicts true",
    denominator="judged delivery groups with all five verdicts known (nothing received counts as known)",
    source="SCOR-derived glossaries",
    feeds=(*CORE_FEEDS, *BILLING_FEEDS),
    needs=PERFECT_ORDER.needs,
)
ON_TIME_GROUP = order_share(
    name="on_time_group",
    title="Delivery groups received on time",
    short="On time, groups",
    facts=group_facts_table,
    formula=judged(g.on_time, g.state),
    definition="Delivery groups (the lines of one order with one deadline) of which every line's needed quantity was received by its first promise.",
    numerator="delivery groups on time",
    denominator="judged delivery groups whose verdict is known",
    source="rules R16",
    feeds=CORE_FEEDS,
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
contract = contract_facts_table.c
_JUDGED_SO = (
    "Each order is judged by the policy its customer had on the order's day; what the contract leaves open is strict. "
    "Read it beside the strict measure on the same customers."
)


ON_TIME_CONTRACT = order_share(
    name="on_time_contract",
    title="Orders received on time, under contract",
    short="On time, contract",
    facts=contract_facts_table,
    formula=judged(contract.on_time, contract.state),
    definition="Orders of which every line's needed quantity was received by the deadline (in a window contract: inside the window) of the contract. Each order is judged by the policy its customer had on the order's day; what the contract leaves open is strict. Read it beside the strict measure on the same customers.",
    numerator="orders under contract whose verdict is true",
    denominator="judged orders under contract whose verdict is known",
    exclusions=f"{PENDING} Orders of customers without a contract on that day.",
    source="brief; rules P10, R35",
    feeds=(*CORE_FEEDS, "customers", "policies"),
    needs=(NEEDS_CONTRACT, NEEDS_POLICIES, NEEDS_PROMISE, NEEDS_RECEIPT),
)
OTIF_CONTRACT = order_share(
    name="otif_contract",
    title="On time in full, under contract",
    short="OTIF, contract",
    facts=contract_facts_table,
    formula=judged(contract.otif, contract.state),
    definition="Orders of which all that was owed, less the tolerance agreed, came by the deadline of the contract. Each order is judged by the policy its customer had on the order's day; what the contract leaves open is strict. Read it beside the strict measure on the same customers.",
    numerator="orders under contract whose verdict is true",
    denominator="judged orders under contract whose verdict is known",
    exclusions=f"{PENDING} Orders of customers without a contract on that day.",
    source="brief; rules P10, R35",
    feeds=(*CORE_FEEDS, "customers", "policies"),
    needs=(NEEDS_CONTRACT, NEEDS_POLICIES, NEEDS_PROMISE, NEEDS_RECEIPT),
)
PERFECT_ORDER_CONTRACT = order_share(
    name="perfect_order_contract",
    title="Perfect orders, under contract",
    short="Perfect, contract",
    facts=contract_facts_table,
    formula=all_tests_passed(contract.perfect_order, contract.perfect_order_known, contract.state),
    definition="Orders that pass all five tests by the tolerances, windows and claims and invoice days of the contract. Each order is judged by the policy its customer had on the order's day; what the contract leaves open is strict. Read it beside the strict measure on the same customers.",
    numerator="orders under contract whose verdict is true",
    denominator="judged orders under contract whose verdict is known",
    exclusions=f"{PENDING} Orders of customers without a contract on that day.",
    source="brief; rules P10, R35",
    feeds=(*CORE_FEEDS, *BILLING_FEEDS, "customers", "policies"),
    needs=(NEEDS_CONTRACT, NEEDS_POLICIES, *PERFECT_ORDER.needs),
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
