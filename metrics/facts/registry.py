"""Ledgers: fact tables beside orders and lines, one file each. They stand on the judged facts and are rebuilt after
them (rebuild.py).
"""

from itertools import chain

from metrics.facts import (
    anchor_dates,
    availability,
    contract_verdicts,
    cycle_times,
    delivery_groups,
    messages,
    open_orders,
    order_intervals,
    payments,
    process_steps,
    quotes,
    recoveries,
    recovery_costs,
    returns,
    service_cases,
    shipments,
    stockouts,
    two_books,
)
from metrics.facts.fact_table import FactTable
from metrics.facts.money import movements

FACT_TABLES: tuple[FactTable, ...] = tuple(
    chain.from_iterable(
        module.FACT_TABLES
        for module in (
            anchor_dates,
            availability,
            delivery_groups,
            cycle_times,
            open_orders,
            contract_verdicts,
            shipments,
            messages,
            service_cases,
            returns,
            payments,
            process_steps,
            quotes,
            movements,
            order_intervals,
            stockouts,
            recoveries,
            recovery_costs,
            two_books,
        )
    )
)
"""Every ledger, those that others read first."""
