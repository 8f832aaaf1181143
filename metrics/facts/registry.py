"""All fact tables in build order, except those of judged orders and order lines.

`metrics/rebuild/rebuild.py` fills the judged orders and order lines first, and then these tables from first to last.
"""

from itertools import chain

from metrics.facts import (
    anchor_dates,
    availability,
    contract_verdicts,
    cycle_times,
    delivery_groups,
    invoices,
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
    step_slack,
    stockouts,
    two_books,
    work_in_progress,
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
            invoices,
            process_steps,
            step_slack,
            work_in_progress,
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
"""Every fact table. A table comes after the tables that it reads."""
