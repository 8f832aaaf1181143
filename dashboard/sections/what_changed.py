"""Sections of the page "What changed" between two periods: choices, sentence, chart and table of contributions."""

from datetime import timedelta
from fractions import Fraction

import streamlit as st

from dashboard import queries
from dashboard.components import cards, changes, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.locale import reader
from dashboard.components.reasons import reason
from dashboard.components.status import better_or_worse
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links, page
from dashboard.frame.filters import EARLIEST, Filters
from dashboard.frame.links import EXPLAINED
from dashboard.frame.period import BEFORE, COMPARISONS, LAST_YEAR, Days
from dashboard.measure_page.cells import value_cell
from dashboard.measure_page.drivers import driver_in_view
from dashboard.measure_page.headline import as_sentence, scorecard_measure
from metrics.measures.catalog import MEASURES
from metrics.model.dimensions import DIMENSIONS
from metrics.model.measure import Measure, Unit
from metrics.model.statistics import Number
from metrics.queries.explain import Contribution, Explanation, explain
from metrics.queries.failure_reasons import REASON, has_reasons

PARTS_SHOWN = 12
STEPS_SHOWN = 7
"""Contributions with their own bar in the chart; the others share one bar."""
OWN = "days"
AGAINST = {BEFORE: "Prior period", LAST_YEAR: "Last year", OWN: "Days of your choice"}


def choose(filters: Filters) -> tuple[Measure, str, Days | None]:
    """Draw the choice of measure, dimension and days to compare with, and return them.

    The measure of the scorecard's headline stands first, so that both pages name the same cause.
    The days are None while only the first of them is chosen.
    """
    titles = {name: MEASURES[name].title for name in EXPLAINED}
    main = scorecard_measure(page.generation(), filters)
    first = [main, *[name for name in EXPLAINED if name != main]]
    offered = [*[name for name in COMPARISONS if filters.period.compared(name) is not None], OWN]
    name = page.select("Measure", first, titles, key="measure", width=320)
    driver = driver_in_view(page.generation(), filters, name)
    # The dimension of the main driver stands first, so it is shown unless another one is chosen.
    offered_by = [*DIMENSIONS, *([REASON] if has_reasons(MEASURES[name]) else [])]
    dimensions = sorted(offered_by, key=lambda dimension: driver is None or dimension != driver.dimension)
    words = {dimension: formatting.in_words(dimension) for dimension in offered_by} | {REASON: "Reason of failure"}
    by = page.select("Explained by", dimensions, words, key="by", width=190)
    against = page.select("Against", offered, AGAINST, key="against", width=190)
    if against == OWN:
        return MEASURES[name], by, _own_days(filters)
    st.query_params.pop("before", None)
    return MEASURES[name], by, filters.period.compared(against)


def _own_days(filters: Filters) -> Days | None:
    """Draw the choice of own days; the address keeps them.

    The default is the period before, or the first four weeks of all data.
    """
    latest = filters.period.as_of + timedelta(days=730)
    first = filters.period.previous or (filters.start, filters.start + timedelta(days=27))
    # A day outside the limits would stop the field.
    begin, end = (min(max(day, EARLIEST), latest) for day in links.parse_days(st.query_params.get("before")) or first)
    chosen = st.date_input(
        "From and to", (begin, end), EARLIEST, latest, format=reader().date_input, key="pick_before", width=230
    )
    if not isinstance(chosen, tuple) or len(chosen) < 2:  # the second day is not chosen yet
        return None
    st.query_params["before"] = f"{chosen[0]}..{chosen[1]}"
    return chosen


def explanation(measure: Measure, by: str, before: Days, filters: Filters) -> Explanation:
    """Return the explanation of a change since other days."""
    after = (filters.start, filters.period.elapsed)
    return queries.shared(
        explain, page.generation(), measure.name, by=by, before=before, after=after, where=filters.where
    )


def sentence(found: Explanation, measure: Measure, before: Days, after: Days) -> str:
    """Return the change in one sentence, as markup. Provisional periods are named first."""
    before, after = found.compared or (before, after)
    named = "".join(f"<p>{formatting.html(as_sentence(period))}</p>" for period in found.provisional)
    if found.change is None or found.why_not:
        why = as_sentence(found.why_not or "one of the periods has no value")
        return named + cards.empty("No change to explain", formatting.html(why))
    direction = "rose" if found.change > 0 else "fell" if found.change < 0 else "did not change"
    is_chance = bool(found.change) and changes.may_be_chance(found.after, found.before, measure)
    judged = "muted" if is_chance else better_or_worse(float(found.change), measure.direction) or "muted"
    size = (
        ""
        if not found.change
        else f' by <strong class="bv-{judged}">{formatting.difference(float(found.change), measure.unit)}</strong>'
    )
    then, now = (_linked(one.value, measure, days) for one, days in ((found.before, before), (found.after, after)))
    text = f"<strong>{formatting.html(measure.title)}</strong> {direction}{size}: from {then} to {now}."
    if is_chance:
        text += " The change is not significant: it may be chance."
    if found.adds_up and found.parts and found.parts[0].effect:
        strongest = found.parts[0]
        text += (
            f" Largest contributor: <strong>{formatting.html(_name(strongest, found.by))}</strong> "
            f"({_sign(float(strongest.effect or 0), measure.unit)})."
        )
    return f'<div class="bv bv-headline"><span>{named}{text}</span></div>'


def _name(part: Contribution, by: str) -> str:
    """Return the shown name of a contributor."""
    return reason(part.value) if by == REASON else part.value or "(none)"


def _linked(value: Number | None, measure: Measure, days: Days) -> str:
    href = links.drill_down_url(measure.name, period=days)
    return (
        f'<a href="{formatting.html(href)}" '
        f'target="_self"><strong>{formatting.number(value, measure.unit)}</strong></a>'
    )


def _sign(value: float, unit: Unit) -> str:
    size = formatting.difference(value, unit)
    return size if size == formatting.difference(0, unit) else f"{formatting.MINUS if value < 0 else '+'}{size}"


def steps_chart(found: Explanation, measure: Measure) -> None:
    """Draw the contributions as steps from the earlier to the current value.

    Draw nothing if they do not add up, or if there is no step.
    """
    if not found.adds_up or found.change is None or found.before.value is None or found.after.value is None:
        return
    if not any(part.effect for part in found.parts):
        return
    bars = _steps(found, measure)
    reach = [bar.start for bar in bars if not bar.total] + [bar.end for bar in bars]
    room = (max(reach) - min(reach)) * 0.06 or abs(reach[0]) * 0.05 or 0.05
    steps = "; ".join(f"{bar.name} {bar.label}" for bar in bars)
    spec = chart_types.bar_chart(bars, is_dark=theme.is_dark(), low=min(reach) - room, high=max(reach) + room)
    chart_download.export_chart(
        spec,
        key="change_chart",
        alternative=f"{measure.title}, step by step: {steps}",
        title=f"{measure.title}, step by step",
    )


def _steps(found: Explanation, measure: Measure) -> list[Bar]:
    then, now = found.before.value, found.after.value
    at = float(then or 0)
    bars = [Bar("Before", at, formatting.number(then, measure.unit), start=at, total=True)]
    rest = found.parts[STEPS_SHOWN:]
    effects = [(_name(part, found.by), float(part.effect or 0)) for part in found.parts[:STEPS_SHOWN]]
    effects += [(f"{len(rest)} more", float(sum(part.effect or 0 for part in rest)))] if rest else []
    for name, effect in effects:
        tone = {"better": "good-strong", "worse": "bad-strong"}.get(
            better_or_worse(effect, measure.direction) or "", "accent"
        )
        bars.append(Bar(name, max(at, at + effect), _sign(effect, measure.unit), start=min(at, at + effect), tone=tone))
        at += effect
    return [*bars, Bar("Now", float(now or 0), formatting.number(now, measure.unit), start=float(now or 0), total=True)]


def parts(found: Explanation, measure: Measure, by: str, before: Days, after: Days) -> str:
    """Return the contributions as a table, the largest first, and their sum."""
    before, after = found.compared or (before, after)
    shown = found.parts[:PARTS_SHOWN]
    ratio = any(part.mix is not None for part in shown)
    heads = [formatting.in_words(by), "Before", "Now"] + (["Rate effect", "Mix effect"] if ratio else [])
    heads.append("Contribution" if found.adds_up else "Shift")
    rows: list[list[Cell | str]] = [
        [
            Cell(_name(part, by)),
            *_both_values(part, measure, by, (before, after)),
            *([Cell(_sign(float(one or 0), measure.unit)) for one in (part.rate, part.mix)] if ratio else []),
            Cell(_sign(float(part.effect or 0) if found.adds_up else part.shift or 0.0, measure.unit)),
        ]
        for part in shown
    ]
    if found.adds_up:
        rest = found.parts[PARTS_SHOWN:]
        if rest:
            blank = [""] * (4 if ratio else 2)
            rows.append(
                [
                    Cell(f"{len(rest)} more"),
                    *blank,
                    Cell(_sign(float(sum(one.effect or 0 for one in rest)), measure.unit)),
                ]
            )
        rows.append(
            [
                Cell("Total change"),
                value_cell(found.before, measure),
                value_cell(found.after, measure),
                *(
                    [Cell(_sign(float(sum(total or 0 for total in sums)), measure.unit)) for sums in _both(found)]
                    if ratio
                    else []
                ),
                Cell(_sign(float(found.change or 0), measure.unit)),
            ]
        )
    return tables.table(
        heads,
        rows,
        caption=f"Contributions to the change of {measure.title}",
        numeric=range(1, len(heads)),
        total=found.adds_up,
    )


def _both_values(part: Contribution, measure: Measure, by: str, days: tuple[Days, Days]) -> list[Cell]:
    """Return the earlier and the current value of a contributor, with links to their rows. A reason has no links."""
    cells = []
    for answer, period in zip((part.before, part.after), days, strict=True):
        one = value_cell(answer, measure)
        href = links.drill_down_url(measure.name, by=by, value=part.value, period=period)
        cells.append(
            Cell(markup=f'<a href="{formatting.html(href)}" target="_self">{one.markup}</a>')
            if answer is not None and by != REASON
            else one
        )
    return cells


def _both(found: Explanation) -> tuple[list[Fraction | None], list[Fraction | None]]:
    """Return the rate and the mix effects of all contributors."""
    return [part.rate for part in found.parts], [part.mix for part in found.parts]


def note(found: Explanation) -> str:
    """Return a note about how to read the contributions."""
    if found.adds_up and found.by == REASON:
        return (
            f"Each failed {MEASURES[found.measure].grain} counts once, under its first reason. Before and now are the "
            "shares that failed for a reason. Contributions add up to the change exactly."
        )
    if found.adds_up:
        return (
            "Contributions add up to the change exactly. Rate effect: the own rate changed. Mix effect: the "
            "share of the total changed."
        )
    if found.no_sum:
        return f"{as_sentence(found.no_sum)} The rows show both periods."
    return (
        "Contributions to a percentile do not add up. Each row shows the shift caused by the changed orders of its "
        "value."
    )
