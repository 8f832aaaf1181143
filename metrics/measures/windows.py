"""Windows after the due day in which a verdict can still change without new records.

A failure shows at once. A pass shows only when the claims or invoice window has passed, so a share over open rows
would lean low. Orders received late have failed already. They are never open, so that a straggler does not make a whole
year provisional.

Source: P7 (point, coverage and range), R21 (damage), R23 (billing).
"""

from sqlalchemy import Table, and_, func

from metrics.facts.orders.tables import order_facts_table
from metrics.model.measure import Window
from metrics.sql.dialects import Expression


def claims_window(facts: Table = order_facts_table) -> Window:
    """Return the window in which the buyer can still claim damage. facts: verdicts of orders or groups."""
    c = facts.c
    unknown = and_(c.damage_free.is_(None), func.coalesce(c.damage_free_reason, "") != "nothing_received")
    return Window(
        "claims window", and_(c.state == "judged", c.on_time.is_not(False), unknown, c.next_change_at.is_not(None))
    )


def invoice_window(facts: Table = order_facts_table) -> Window:
    """Return the window in which the first invoice can still come. facts: verdicts of orders or groups."""
    c = facts.c
    waiting = and_(c.billed_accurately.is_(None), func.coalesce(c.billed_accurately_reason, "") == "not_yet_due")
    state = c.billing_state if "billing_state" in c else c.state
    return Window("invoice window", and_(state == "judged", c.on_time.is_not(False), waiting))


def both_windows(perfect: Expression, facts: Table = order_facts_table) -> tuple[Window, ...]:
    """Return the windows of a combined verdict that is still unknown. perfect: the column of the verdict."""
    return tuple(
        Window(window.name, and_(facts.c.state == "judged", perfect.is_(None), window.open))
        for window in (claims_window(facts), invoice_window(facts))
    )
