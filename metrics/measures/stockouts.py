"""Stockouts: how many, what buyers did, and what one is expected to cost, observed and assumed. Source: the brief;
rules, section 4 (d), R38.
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
"""Events with an outcome below which a group's shares are drawn towards everyone's: (count + 20 × overall share) / (n +
20).
"""

TITLES = {
    "waited": "the buyer waited",
    "back_ordered": "it came as a back-order",
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
    "Pending lines, excused cancellations, services and fees, orders that are not sales, lines of orders stopped for "
    "credit at the first promise, "
    "and lines whose first pass is not known."
)
_with_outcome = s.outcome != OPEN


def _count(name: str, title: str, short: str, condition: Expression, definition: str) -> Measure:
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
        source="brief; Coyle",
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
        definition=f"Stockouts where {TITLES[outcome]}, of those whose outcome is known. Provisional ones, where the "
        "buyer may still turn out lost, are in it.",
        numerator=f"stockouts whose outcome is {outcome}",
        denominator="stockouts with an outcome",
        exclusions=f"{EXCLUDED} Open ones (stockouts_open).",
        source="brief; own",
        feeds=(*CORE_FEEDS, "stockouts"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_MOVEMENT,),
        product_rows=(3,),
    )


_COSTS = {
    "waited": ("the wait cost assumed (0 unless given)", ()),
    "back_ordered": ("the extra freight and handling of the order's further consignments", (NEEDS_EXTRA,)),
    "sale_lost": ("the margin of the short quantity", (NEEDS_PRICE, NEEDS_COST)),
    "buyer_lost": (
        "the margin of the short quantity and the buyer's margin of the 12 months before, times the years assumed",
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
        definition=f"Mean of {what}, of stockouts where {TITLES[outcome]} and that is known.",
        numerator=f"Σ {what}",
        denominator=f"stockouts whose outcome is {outcome} and whose cost is known",
        exclusions=f"{EXCLUDED} Stockouts whose price, cost or rate is not known.",
        source="brief; Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "products", "service_costs", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(NEEDS_MOVEMENT, *needs),
        product_rows=(3,),
    )


def expected_cost(shares: Mapping[str, Number], costs: Mapping[str, Number]) -> Number:
    """p_wait·c_wait + p_bo·c_bo + p_sale·m + p_buyer·(m + M), by outcome. Raises SettingRefused unless the shares add
    up to 1.

    Source: rules, section 4 (d).
    """
    given = [Decimal(str(share)) for share in shares.values()]
    total = sum(given, Decimal(0))
    if abs(total - 1) > Decimal("0.000000001") or min(given) < 0:
        told = ", ".join(f"{name} {share}" for name, share in shares.items())
        raise SettingRefused(
            "stockout shares", f"{told} add up to {total}, not 1; give four shares from 0 to 1 that do."
        )
    # both Decimal or both float
    return sum(share * costs[name] for name, share in shares.items() if share)  # type: ignore[operator,misc]


def assumed_unit_cost(connection: Connection, *, scope: str = "all") -> Decimal:
    """The expected cost of a stockout as assumed: 2,132.50 unless the feed `assumptions` says otherwise. Raises
    SettingRefused where Σp ≠ 1.
    """
    shares = {outcome: assumed(connection, f"stockout_{outcome}_share", scope=scope) for outcome in OUTCOMES}
    costs = {outcome: assumed(connection, _COST_NAMES[outcome], scope=scope) for outcome in OUTCOMES}
    return Decimal(expected_cost(shares, costs))


_COST_NAMES = {outcome: f"stockout_{outcome}_cost" for outcome in OUTCOMES} | {"waited": "wait_cost"}
_SHARES = tuple(f"outcome_share_{outcome}" for outcome in OUTCOMES)
_OBSERVED = tuple(f"stockout_cost_{outcome}" for outcome in OUTCOMES)

Group = dict[str, Answer]
"""One group's answers by measure."""


def _groups(question: Question, ask: Ask, *measures: str) -> list[Group]:
    """Answers to other measures, group by group of the question."""
    found: dict[tuple[object, ...], Group] = {}
    for one in ask(replace(question, measures=measures)):
        found.setdefault((*one.dimensions.values(), one.period), {})[one.measure] = one
    return list(found.values())


def _rate(_: Connection, question: Question, ask: Ask) -> list[Answer]:
    """stockout_rate: line events / judged goods lines whose first pass (where nobody maps shipped_at: whose
    completeness) is known.
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
                no_data=None if known else "not proven: no line has all its evidence; it lies between the bounds",
                remark="lines short of what was received: no source maps shipped_at" if by_receipt else None,
            )
        )
    return answers


def _unit_cost(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """stockout_unit_cost: the outcomes' shares times what each cost, as observed; few events borrow shares and costs
    from all of the period.
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
    told = [refused or f"assumed instead: {instead:,.2f}"]
    told += [f"{provisional} of {events} provisional"] if provisional else []
    told += [f"{events} stockouts are few: shares drawn towards those of all"] if small else []
    return replace(blank, value=value, numerator=value * events, denominator=events, remark="; ".join(told))


def group_costs(counts: Mapping[str, int], overall: Mapping[str, float] | None) -> dict[str, float]:
    """Shares of the outcomes; with overall shares given, (count + 20 × overall share) / (n + 20). Source: rules,
    section 4 (d).
    """
    events = sum(counts.values())
    if overall is None:
        return {outcome: count / events for outcome, count in counts.items()}
    return {outcome: (count + SMALL * overall[outcome]) / (events + SMALL) for outcome, count in counts.items()}


def _assumed_unit_cost(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """stockout_unit_cost_assumed of every group that has a stockout."""
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
    """The assumed cost of a stockout, or in words why what is assumed is refused: a page shows its other numbers beside
    them.
    """
    try:
        return assumed_unit_cost(connection, scope=scope), None
    except SettingRefused as refused:
        return None, str(refused)


def _total_cost(unit_cost: str) -> Callable[[Connection, Question, Ask], list[Answer]]:
    """stockout_events × a unit cost."""

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
    "p_waited × wait cost + p_back_ordered × extra freight and handling + p_sale_lost × margin of the short quantity + "
    "p_buyer_lost × (that margin + "
    "the buyer's margin of the 12 months before × years assumed); p and costs as observed."
)

MEASURES = (
    _count(
        "stockout_events",
        "Stockouts",
        "Stockouts",
        s.outcome.is_not(None),
        "Order lines that did not leave whole by their first promise, and demand recorded that never became an order.",
    ),
    _count(
        "stockouts_of_lines",
        "Stockouts of order lines",
        "Of lines",
        s.stockout_source.in_(LINE_SOURCES),
        "Order lines that did not leave whole by their first promise (where no source maps shipped_at: of which not all "
        "was received).",
    ),
    _count(
        "stockouts_unordered",
        "Stockouts before an order",
        "Unordered",
        s.stockout_source == UNORDERED,
        "Demand that met no stock and never became an order line (feed stockouts).",
    ),
    _count(
        "stockouts_open",
        "Stockouts still open",
        "Open",
        s.outcome == OPEN,
        "Stockouts whose goods have neither come nor been cancelled, while the buyer is not lost.",
    ),
    _count(
        "stockouts_provisional",
        "Stockouts with a provisional outcome",
        "Provisional",
        and_(_with_outcome, s.provisional.is_(True)),
        "Stockouts with an outcome whose buyer has not ordered again and may still turn out lost.",
    ),
    Measure(
        name="stockout_rate",
        title="Lines hit by a stockout",
        short="Stockout rate",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(_rate, SHARED_DIMENSIONS, periods=True),
        definition="Order lines that did not leave whole by their first promise, of the judged goods lines; demand before an order stands apart.",
        numerator="stockouts of order lines",
        denominator="judged goods lines whose first pass is known",
        exclusions=EXCLUDED,
        source="own",
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
        definition=f"{_OBSERVED_TEXT} Groups of fewer than {SMALL} stockouts draw their shares towards everyone's of the period: (count + 20 × overall share) / (n + 20); the shares shown elsewhere are the plain ones.",
        numerator="Σ expected cost of the stockouts with an outcome",
        denominator="stockouts with an outcome",
        exclusions=EXCLUDED,
        source="brief; Coyle",
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
        definition="The same with shares and costs assumed (assumptions stockout_*; the preset of 2,132.50 is illustrative). Read it beside the observed.",
        numerator="Σ assumed share × assumed cost",
        denominator="one stockout",
        exclusions=EXCLUDED,
        source="brief; Coyle",
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
        definition="Stockouts × expected cost per stockout, as observed. Groups with few stockouts borrow shares, so that parts need not add up to the whole.",
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
        definition="Stockouts × expected cost per stockout, as assumed (the preset is illustrative only). To be read beside the observed.",
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
