"""Stockouts: their number, their outcomes, and their expected cost, observed and assumed.

Source: docs/rules.md, stockouts; R38 (stockouts).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection, and_

from metrics.errors import SettingRefused
from metrics.facts.assumptions import assumed, assumption_scope
from metrics.facts.stockout_events import OPEN, OUTCOMES, UNORDERED
from metrics.facts.stockouts import stockout_facts_table
from metrics.measures.fill_rate import LINE_SOURCES
from metrics.measures.needs import CORE_FEEDS, NEEDS_PRICE, NEEDS_SHIPPED, STOCKOUT_ASSUMPTIONS
from metrics.model.dimensions import SHARED_DIMENSIONS
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Study, Total, Unit
from metrics.model.question import NO_ROWS, Answer, Ask, Question
from metrics.model.statistics import Number, divide, wilson
from metrics.sql.dialects import Expression

s = stockout_facts_table.c

SMALL = 20
"""The number of events with an outcome below which a group's shares are drawn towards the overall shares: (count + 20 ×
overall share) / (n + 20).
"""

TITLES = {
    "waited": "the buyer waited",
    "back_ordered": "the goods were back-ordered",
    "sale_lost": "the sale was lost",
    "buyer_lost": "the buyer was lost",
}
NEEDS_MOVEMENT = Need(
    ("shipments.shipped_at", "shipments.received_at", "stockouts.wanted_at"),
    "no data: shipped_at or received_at (map them in shipments), and no feed: stockouts",
)
NEEDS_LINES = Need(
    ("shipments.shipped_at", "shipments.received_at"), "no data: shipped_at or received_at (map them in shipments)"
)
NEEDS_COST = Need(("products.unit_cost_amount",), "no feed: products (map products.unit_cost_amount)")
NEEDS_EXTRA = Need(
    ("shipments.freight_amount", "service_costs.amount"), "no feed: service_costs (or map shipments.freight_amount)"
)

EXCLUDED = (
    "Pending lines, excused cancellations, services and fees, orders that are not sales, lines of orders on credit "
    "hold at the first promise, and lines whose first-pass fill is unknown."
)
_with_outcome = s.outcome != OPEN


def _count(*, name: str, title: str, short: str, condition: Expression, definition: str) -> Measure:
    return Measure(
        name=name,
        title=title,
        short=short,
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Total(Part(condition)),
        definition=definition,
        numerator="stockouts",
        denominator="none: a count",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_MOVEMENT,),
        product_rows=(3,),
    )


def _share(outcome: str) -> Measure:
    return Measure(
        name=f"outcome_share_{outcome}",
        title=f"Stockouts where {TITLES[outcome]}",
        short=outcome.replace("_", " ").capitalize(),
        unit=Unit.SHARE,
        direction=Direction.NEITHER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Ratio(Part(s.outcome == outcome), Part(_with_outcome)),
        definition=(
            f"Stockouts where {TITLES[outcome]}, as a share of stockouts whose outcome is known. Provisional outcomes "
            "are included, although the buyer may still be lost."
        ),
        numerator=f"stockouts whose outcome is {outcome}",
        denominator="stockouts with an outcome",
        exclusions=f"{EXCLUDED} Also open stockouts (stockouts_open).",
        source="own definition",
        feeds=(*CORE_FEEDS, "stockouts"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_MOVEMENT,),
        product_rows=(3,),
    )


_COSTS = {
    "waited": ("the assumed cost of the wait (0 unless given)", ()),
    "back_ordered": ("the extra freight and handling of the order's later consignments", (NEEDS_EXTRA,)),
    "sale_lost": ("the margin of the short quantity", (NEEDS_PRICE, NEEDS_COST)),
    "buyer_lost": (
        "the margin of the short quantity, plus the buyer's margin of the 12 months before times the assumed years",
        (NEEDS_PRICE, NEEDS_COST),
    ),
}


def _cost(outcome: str) -> Measure:
    what, needs = _COSTS[outcome]
    known = and_(s.outcome == outcome, s.cost_amount.is_not(None))
    return Measure(
        name=f"stockout_cost_{outcome}",
        title=f"Cost of a stockout where {TITLES[outcome]}",
        short=f"Cost {outcome.replace('_', ' ')}",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Ratio(Part(known, s.cost_amount), Part(known)),
        definition=f"Mean of {what}, for stockouts where {TITLES[outcome]} and the cost is known.",
        numerator=f"Σ {what}",
        denominator=f"stockouts whose outcome is {outcome} and whose cost is known",
        exclusions=f"{EXCLUDED} Also stockouts whose price, unit cost or exchange rate is unknown.",
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "products", "service_costs", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_MOVEMENT, *needs),
        product_rows=(3,),
    )


def expected_cost(shares: Mapping[str, Number], costs: Mapping[str, Number]) -> Number:
    """Return p_wait·c_wait + p_bo·c_bo + p_sale·m + p_buyer·(m + M), by outcome.

    Raises SettingRefused unless the shares add up to 1. Source: docs/rules.md, stockouts.
    """
    given = [Decimal(str(share)) for share in shares.values()]
    total = sum(given, Decimal(0))
    if abs(total - 1) > Decimal("0.000000001") or min(given) < 0:
        told = ", ".join(f"{name} {share}" for name, share in shares.items())
        raise SettingRefused(
            "stockout shares", f"{told} add up to {total}, not 1; give four shares from 0 to 1 that add up to 1"
        )
    # The values are all Decimal or all float.
    return sum(share * costs[name] for name, share in shares.items() if share)  # type: ignore[operator,misc]


def assumed_unit_cost(connection: Connection, *, scope: str = "all") -> Decimal:
    """Return the assumed expected cost of a stockout: 2,132.50 unless the feed `assumptions` sets another.

    Raises SettingRefused if the shares do not add up to 1.
    """
    shares = {outcome: assumed(connection, f"stockout_{outcome}_share", scope=scope) for outcome in OUTCOMES}
    costs = {outcome: assumed(connection, _COST_NAMES[outcome], scope=scope) for outcome in OUTCOMES}
    return Decimal(expected_cost(shares, costs))


_COST_NAMES = {outcome: f"stockout_{outcome}_cost" for outcome in OUTCOMES} | {"waited": "wait_cost"}
_SHARES = tuple(f"outcome_share_{outcome}" for outcome in OUTCOMES)
_OBSERVED = tuple(f"stockout_cost_{outcome}" for outcome in OUTCOMES)

Group = dict[str, Answer]
"""The answers of one group, by measure."""


def _groups(question: Question, ask: Ask, *measures: str) -> list[Group]:
    """Return the answers to other measures for each group of the question."""
    found: dict[tuple[object, ...], Group] = {}
    for one in ask(replace(question, measures=measures)):
        found.setdefault((*one.dimensions.values(), one.period), {})[one.measure] = one
    return list(found.values())


def _rate(_: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return stockout_rate: line stockouts / judged goods lines whose first-pass fill is known.

    If no source maps shipped_at, completeness replaces first-pass fill.
    """
    answers = []
    for group in _groups(question, ask, "stockouts_of_lines", "line_fill_first_pass", "line_fill_final"):
        events, first_pass = group["stockouts_of_lines"], group["line_fill_first_pass"]
        by_receipt = first_pass.no_data == NEEDS_SHIPPED.words
        lines = group["line_fill_final"] if by_receipt else first_pass
        blank = Answer(events.dimensions, events.period, question.measures[0], None)
        if not lines.judged:
            answers.append(replace(blank, no_data=lines.no_data or NO_ROWS))
            continue
        hit, known, unknown = events.numerator or 0, lines.denominator or 0, lines.unknown or 0
        low, high = wilson(hit, known) or (None, None)
        answers.append(
            replace(
                blank,
                value=divide(hit, known),
                numerator=hit,
                denominator=known,
                coverage=lines.coverage,
                low=low,
                high=high,
                worst=divide(hit, lines.judged),
                best=divide(float(hit) + float(unknown), lines.judged),
                judged=lines.judged,
                unknown=unknown,
                no_data=None
                if known
                else ("not proven: no line has all its evidence; the share lies between the bounds"),
                remark="based on receipts, because no source maps shipped_at" if by_receipt else None,
            )
        )
    return answers


def _unit_cost(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return stockout_unit_cost: outcome shares times the observed cost of each outcome.

    Small groups borrow shares and costs from all stockouts of the period.
    """
    whole = not question.by and not question.where and question.grain is None
    overall = (
        None
        if whole
        else _groups(Question(question.measures, start=question.start, end=question.end), ask, *_SHARES, *_OBSERVED)[0]
    )
    return [
        _expected(connection, question, group, overall)
        for group in _groups(question, ask, "stockouts_provisional", *_SHARES, *_OBSERVED)
    ]


def _expected(connection: Connection, question: Question, group: Group, overall: Group | None) -> Answer:
    first = group[_SHARES[0]]
    blank = Answer(first.dimensions, first.period, question.measures[0], None)
    events = int(first.denominator or 0)
    if not events:
        return replace(blank, no_data=first.no_data or NO_ROWS)
    counts = {outcome: int(group[name].numerator or 0) for outcome, name in zip(OUTCOMES, _SHARES, strict=True)}
    small = overall is not None and events < SMALL
    borrowed = {
        outcome: float(overall[f"outcome_share_{outcome}"].value or 0) if small and overall else 0.0
        for outcome in OUTCOMES
    }
    shares = group_costs(counts, borrowed if small else None)
    costs: dict[str, Number] = {}
    for outcome, share in shares.items():
        own = group[f"stockout_cost_{outcome}"]
        cost = own.value if own.value is not None or overall is None else overall[f"stockout_cost_{outcome}"].value
        if cost is None and share:
            why = own.no_data if own.no_data and own.no_data != NO_ROWS else "no data: price, cost or rate missing"
            return replace(blank, denominator=events, no_data=f"{why} (cost where {TITLES[outcome]})")
        costs[outcome] = float(cost or 0)
    value = float(expected_cost(shares, costs))
    provisional = group["stockouts_provisional"].value
    instead, refused = _assumed_or_why(connection, assumption_scope(blank.dimensions, question.where))
    told = [refused or f"with assumed shares and costs: {instead:,.2f}"]
    told += [f"{provisional} of {events} provisional"] if provisional else []
    told += [f"only {events} stockouts: shares drawn towards the overall shares"] if small else []
    return replace(blank, value=value, numerator=value * events, denominator=events, remark="; ".join(told))


def group_costs(counts: Mapping[str, int], overall: Mapping[str, float] | None) -> dict[str, float]:
    """Return the shares of the outcomes; with overall shares given, (count + 20 × overall share) / (n + 20).

    Source: docs/rules.md, stockouts.
    """
    events = sum(counts.values())
    if overall is None:
        return {outcome: count / events for outcome, count in counts.items()}
    return {outcome: (count + SMALL * overall[outcome]) / (events + SMALL) for outcome, count in counts.items()}


def _assumed_unit_cost(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return stockout_unit_cost_assumed of every group with a stockout."""
    answers = []
    for group in _groups(question, ask, "stockout_events"):
        events = group["stockout_events"]
        cost, refused = _assumed_or_why(connection, assumption_scope(events.dimensions, question.where))
        no_data = refused and f"no data: {refused}"
        answers.append(
            Answer(
                events.dimensions,
                events.period,
                question.measures[0],
                cost,
                numerator=cost,
                no_data=no_data,
                remark="assumed",
            )
        )
    return answers


def _assumed_or_why(connection: Connection, scope: str) -> tuple[Decimal | None, str | None]:
    """Return the assumed cost of a stockout, or the reason why the assumptions are refused.

    A page shows its other numbers next to the reason.
    """
    try:
        return assumed_unit_cost(connection, scope=scope), None
    except SettingRefused as refused:
        return None, str(refused)


def _total_cost(unit_cost: str) -> Callable[[Connection, Question, Ask], list[Answer]]:
    """Return stockout_events times a unit cost."""

    def work(_: Connection, question: Question, ask: Ask) -> list[Answer]:
        answers = []
        for group in _groups(question, ask, "stockout_events", unit_cost):
            events, unit = group["stockout_events"], group[unit_cost]
            blank = Answer(
                events.dimensions,
                events.period,
                question.measures[0],
                None,
                denominator=events.value,
                remark=unit.remark,
            )
            if events.value == 0:
                answers.append(replace(blank, value=Decimal(0), numerator=Decimal(0)))
            elif unit.value is None or events.value is None:
                answers.append(replace(blank, no_data=unit.no_data or NO_ROWS))
            else:
                total = int(events.value) * unit.value
                answers.append(replace(blank, value=total, numerator=total))
        return answers

    return work


_COSTED = (NEEDS_MOVEMENT, NEEDS_PRICE, NEEDS_COST)
_OBSERVED_TEXT = (
    "p_waited × wait cost + p_back_ordered × extra freight and handling + p_sale_lost × margin of the short "
    "quantity + p_buyer_lost × (that margin + the buyer's margin of the 12 months before × assumed years). Shares "
    "p and costs are observed."
)

MEASURES = (
    _count(
        name="stockout_events",
        title="Stockouts",
        short="Stockouts",
        condition=s.outcome.is_not(None),
        definition=(
            "Order lines not shipped in full by the first promised date, and recorded demand that never became an "
            "order."
        ),
    ),
    _count(
        name="stockouts_of_lines",
        title="Stockouts of order lines",
        short="On lines",
        condition=s.stockout_source.in_(LINE_SOURCES),
        definition=(
            "Order lines not shipped in full by the first promised date. If no source maps shipped_at: lines not "
            "received in full."
        ),
    ),
    _count(
        name="stockouts_unordered",
        title="Stockouts before an order",
        short="Before an order",
        condition=s.stockout_source == UNORDERED,
        definition="Demand that found no stock and never became an order line (feed stockouts).",
    ),
    _count(
        name="stockouts_open",
        title="Open stockouts",
        short="Open",
        condition=s.outcome == OPEN,
        definition="Stockouts whose goods have neither arrived nor been cancelled, and whose buyer is not lost.",
    ),
    _count(
        name="stockouts_provisional",
        title="Stockouts with a provisional outcome",
        short="Provisional",
        condition=and_(_with_outcome, s.provisional.is_(True)),
        definition="Stockouts with an outcome whose buyer has not reordered and may still be lost.",
    ),
    Measure(
        name="stockout_rate",
        title="Lines with a stockout",
        short="Stockout rate",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(_rate, SHARED_DIMENSIONS, periods=True),
        definition=(
            "Order lines not shipped in full by the first promised date, as a share of judged goods lines. Demand "
            "before an order is not included."
        ),
        numerator="stockouts of order lines",
        denominator="judged goods lines whose first-pass fill is known",
        exclusions=EXCLUDED,
        source="own definition",
        feeds=CORE_FEEDS,
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_LINES,),
        product_rows=(3,),
    ),
    *[_share(outcome) for outcome in OUTCOMES],
    *[_cost(outcome) for outcome in OUTCOMES],
    Measure(
        name="stockout_unit_cost",
        title="Expected cost per stockout",
        short="Unit cost",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(_unit_cost, (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=(
            f"{_OBSERVED_TEXT} Groups with fewer than {SMALL} stockouts draw their shares towards the overall shares "
            "of the period: (count + 20 × overall share) / (n + 20). The shares shown elsewhere are not adjusted."
        ),
        numerator="Σ expected cost of the stockouts with an outcome",
        denominator="stockouts with an outcome",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "products", "service_costs", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=_COSTED,
        product_rows=(3,),
    ),
    Measure(
        name="stockout_unit_cost_assumed",
        title="Expected cost per stockout, assumed",
        short="Unit cost assumed",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(_assumed_unit_cost, (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=(
            "Expected cost per stockout with assumed shares and costs (assumptions stockout_*). The preset of 2,132.50 "
            "is illustrative. Compare it with the observed cost."
        ),
        numerator="Σ assumed share × assumed cost",
        denominator="one stockout",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_MOVEMENT,),
        product_rows=(3,),
    ),
    Measure(
        name="stockout_total_cost",
        title="Cost of stockouts",
        short="Stockout cost",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(_total_cost("stockout_unit_cost"), (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=(
            "Stockouts × observed expected cost per stockout. Groups with few stockouts borrow shares, so parts need "
            "not add up to the total."
        ),
        numerator="stockouts × expected cost per stockout",
        denominator="stockouts",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "products", "service_costs", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=_COSTED,
        product_rows=(3,),
    ),
    Measure(
        name="stockout_total_cost_assumed",
        title="Cost of stockouts, assumed",
        short="Stockout cost assumed",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(_total_cost("stockout_unit_cost_assumed"), (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=(
            "Stockouts × assumed expected cost per stockout. The preset is illustrative. Compare it with the observed "
            "cost."
        ),
        numerator="stockouts × assumed cost per stockout",
        denominator="stockouts",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_MOVEMENT,),
        product_rows=(3,),
    ),
)
