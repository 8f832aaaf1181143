"""Conditions on the order facts that several lists and measures share: failed, late, arrived."""

from sqlalchemy import and_, or_

from metrics.facts.orders.tables import GOODS_VERDICTS, order_facts_table

order = order_facts_table.c

VERDICTS = ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
"""The five tests of an order, in the order they are shown."""

SHOWN = (*VERDICTS, "otif")
"""The failures that lists show. `otif` is shown only if it is known to be false and neither of its parts is."""

LATE = and_(order.state == "judged", order.days_late.is_not(None))

ARRIVED = and_(order.state == "judged", order.settled_at.is_not(None))

FAILED = and_(order.state == "judged", or_(*[order[name].is_(False) for name in GOODS_VERDICTS]))
"""The only definition of a failed order: any verdict is false. `otif` can be false while its parts are unknown."""
