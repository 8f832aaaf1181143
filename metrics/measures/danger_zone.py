"""What-if measures of customers in the Danger zone.

Every result is shown next to its inputs. danger_zone_options.py computes the options. Source: Coyle; docs/rules.md,
profitability and ordering behaviour.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import Connection

from metrics.facts.money.table import money_facts_table
from metrics.measures.customer_zones import (
    KEYS,
    Customer,
    by_customers,
)
from metrics.measures.danger_zone_options import Channel, Charge, Interaction, channels, charges, interactions
from metrics.measures.needs import (
    BILLING_FEEDS,
    COST_FEEDS,
    NEEDS_BILLED_QTY,
    NEEDS_BILLS,
    NEEDS_COSTS,
    NEEDS_UNIT_COST,
    ZONE_ASSUMPTIONS,
)
from metrics.model.measure import Direction, Measure, Need, Result, Study, Unit
from metrics.model.question import Answer, Ask, Question


def _describe_interactions(rows: Sequence[Interaction]) -> str:
    changes = []
    for row in rows[:3]:
        changed = [
            f"{each.activity} {each.own:,.2f} to {each.median:,.2f} per order" for each in row.activities if each.saving
        ]
        changes.append(
            f"{row.customer.customer_id}: {', '.join(changed) or 'no activity is cheaper elsewhere'}, then "
            f"{row.new_zone}"
        )
    return "; ".join(changes) + (f"; and {len(rows) - 3} more" if len(rows) > 3 else "")


Row = TypeVar("Row", Interaction, Charge, Channel)


def _study(
    rows: Callable[[Connection, Question], list[Row]],
    amount: Callable[[Row], Decimal | None],
    describe: Callable[[Sequence[Row]], str],
) -> Callable[[Connection, Question, Ask], list[Answer]]:
    """Return a study that adds up the effect of an option over Danger customers.

    The remark counts customers left out because their profit is unknown.
    """

    def work(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
        rows_by_customer = {row.customer.customer_id: row for row in rows(connection, question)}

        def finish(group: Sequence[Customer]) -> Result:
            mine = [rows_by_customer[customer.customer_id] for customer in group]
            amounts = [amount(row) for row in mine]
            known = [value for value in amounts if value is not None]
            remark = describe(mine)
            if len(known) < len(amounts):
                remark += f"; {len(amounts) - len(known)} customers left out: a unit cost is missing"
            if not known:
                return Result(None, no_data="no data: the profit of every Danger customer is unknown", remark=remark)
            value = sum(known, Decimal(0))
            return Result(value, numerator=value, remark=remark)

        return by_customers(question, [row.customer for row in rows_by_customer.values()], finish)

    return work


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="danger_interaction",
        title="What if: change interaction",
        short="What if: change interaction",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=money_facts_table,
        date="day",
        formula=Study(
            _study(
                lambda connection, question: interactions(connection, question.start, question.end),
                lambda row: row.saving,
                _describe_interactions,
            ),
            tuple(KEYS),
        ),
        definition=(
            "Saving if each activity of a Danger customer cost as much per order as it costs the median customer "
            "outside Danger, where that is lower."
        ),
        numerator="Σ (own cost - median cost) × orders, where positive",
        denominator="–",
        exclusions="Customers outside Danger.",
        source="docs/rules.md, profitability and ordering behaviour",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "orders", "assumptions"),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(9,),
    ),
    Measure(
        name="danger_interaction_moved",
        title="What if: order by EDI or web",
        short="What if: EDI or web",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=money_facts_table,
        date="day",
        formula=Study(
            _study(
                lambda connection, question: interactions(connection, question.start, question.end),
                lambda row: row.moved_saving,
                lambda rows: (
                    f"assumed: {100 * rows[0].moved_share:.0f}% of {sum(row.orders_to_move for row in rows)} orders "
                    "move"
                ),
            ),
            tuple(KEYS),
        ),
        definition=(
            "Saving if an assumed share of a Danger customer's non-electronic orders came by edi or web, at the cost "
            "of those orders."
        ),
        numerator="Σ orders moved × (own cost - cost by edi or web)",
        denominator="–",
        exclusions="Customers outside Danger.",
        source="docs/rules.md, profitability and ordering behaviour",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "orders", "assumptions"),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(
            NEEDS_BILLS,
            NEEDS_COSTS,
            Need(("orders.channel",)),
            Need(("service_costs.order_id",), when="service_costs.amount"),
        ),
        product_rows=(9,),
    ),
    Measure(
        name="danger_charge",
        title="What if: charge actual cost",
        short="What if: charge actual cost",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=money_facts_table,
        date="day",
        formula=Study(
            _study(
                lambda connection, question: charges(connection, question.start, question.end),
                lambda row: row.gain,
                lambda rows: (
                    f"charge {sum((row.charge for row in rows), Decimal(0)):,.2f}, "
                    f"assumed acceptance {100 * rows[0].acceptance:.0f}%, "
                    f"break-even charge {sum((row.break_even or Decimal(0) for row in rows), Decimal(0)):,.2f}"
                ),
            ),
            tuple(KEYS),
        ),
        definition=(
            "Gain if Danger customers were charged their cost to serve above the cost cut and paid the assumed share."
        ),
        numerator="Σ cost to serve above the cut × share paid",
        denominator="–",
        exclusions="Customers outside Danger.",
        source="docs/rules.md, profitability and ordering behaviour",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "orders", "assumptions"),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(9,),
    ),
    Measure(
        name="danger_channel",
        title="What if: alternative channel",
        short="What if: alternative channel",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=money_facts_table,
        date="day",
        formula=Study(
            _study(
                lambda connection, question: channels(connection, question.start, question.end),
                lambda row: row.gain,
                lambda rows: (
                    f"assumed: the channel keeps {100 * rows[0].margin:.0f}% "
                    f"and costs {sum((row.cost for row in rows), Decimal(0)):,.2f}"
                ),
            ),
            tuple(KEYS),
        ),
        definition=(
            "Gain if another channel served the Danger customers: net sales less product cost, less the channel's "
            "assumed share and cost, compared with the present profit."
        ),
        numerator="Σ (profit by the other channel - present profit)",
        denominator="–",
        exclusions="Customers outside Danger, and customers whose profit is unknown (shown next to the value).",
        source="Coyle",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "orders", "products", "assumptions"),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS, NEEDS_BILLED_QTY, NEEDS_UNIT_COST),
        product_rows=(9,),
    ),
)
