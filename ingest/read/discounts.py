"""Discount lines of orders: fees that give money back, and the sign of quantity and price. R17 (discounts)."""

from ingest.read.source_objects import Reading
from ingest.read.staging import staging_table
from ingest.storage.scratch_database import quoted


def stage_discounts(reading: Reading) -> None:
    """Read negative fees as discounts, and a discount of -1 at 20 as 1 at -20.

    Goods and services keep their sign: a negative quantity or price of theirs breaks a rule.
    """
    stage = quoted(staging_table("order_lines"))
    negative = "(coalesce(ordered_qty, 0) < 0 OR coalesce(unit_price_amount, 0) < 0)"
    reading.connection.execute(f"UPDATE {stage} SET line_kind = 'discount' WHERE line_kind = 'fee' AND {negative}")
    reading.connection.execute(
        f"UPDATE {stage} SET ordered_qty = -ordered_qty, unit_price_amount = -unit_price_amount "
        "WHERE line_kind = 'discount' AND ordered_qty < 0"
    )
