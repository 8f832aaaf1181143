"""Feeds that users edit, and the fact tables that depend on them.

Judged orders and order lines depend on none of these feeds. A run that loads only user edits therefore judges no order.
"""

from metrics.facts import cycle_times, order_intervals, recoveries, recovery_costs, service_cases, stockouts
from metrics.facts.fact_table import FactTable
from metrics.facts.money import movements

DEPENDENT_TABLES: dict[str, tuple[FactTable, ...]] = {
    "assumptions": (*order_intervals.FACT_TABLES, *stockouts.FACT_TABLES),
    "service_cases": (
        *cycle_times.FACT_TABLES,
        *service_cases.FACT_TABLES,
        *movements.FACT_TABLES,
        *stockouts.FACT_TABLES,
        *recoveries.FACT_TABLES,
        *recovery_costs.FACT_TABLES,
    ),
    "service_packages": cycle_times.FACT_TABLES,
    "targets": (),
}
"""Fact tables that store values of an edited feed, in build order, with the tables that an earlier version may lack.

All other numbers read the feed at query time.
"""
