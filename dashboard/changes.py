"""The parts of the page that says why a number moved: what is compared, the change in words, its parts."""

from fractions import Fraction

import streamlit as st

from dashboard import cards, data, family, page, tables
from dashboard import format as fmt
from dashboard.filters import Filters
from dashboard.tables import Cell
from metrics.catalog import DIMENSIONS, MEASURES
from metrics.explain import Explanation, PartOfChange
from metrics.measure import Measure, Percentile, Ratio, Total, Unit

EXPLAINED = [name for name, measure in MEASURES.items() if isinstance(measure.formula, Ratio | Total | Percentile)]
PARTS_SHOWN = 12


def choose() -> tuple[Measure, str]:
    """Draw the choice of a measure and a dimension."""
    titles = {name: MEASURES[name].title for name in EXPLAINED}
    first = ["otif", *[name for name in EXPLAINED if name != "otif"]]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = page.pick("Measure", first, titles, key="measure", width=340)
        by = page.pick("Explained by", list(DIMENSIONS), {one: fmt.words(one) for one in DIMENSIONS}, key="by", width=220)
    return MEASURES[name], by


def explained(measure: Measure, by: str, filters: Filters) -> Explanation | None:
    """The change since the period before; None where there is no period before."""
    if filters.period.previous is None:
        return None
    after = (filters.start, filters.period.elapsed)
    found: Explanation = data.explanation(page.generation(), measure.name, by, filters.period.previous, after, filters.where)
    return found


def sentence(found: Explanation, measure: Measure) -> str:
    """The change in one sentence, as markup."""
    if found.change is None or found.why_not:
        return cards.empty("No change to explain", fmt.html(found.why_not or "One of the periods has no value."))
    direction = "rose" if found.change > 0 else "fell" if found.change < 0 else "did not move"
    size = "" if not found.change else f" by <b>{fmt.difference(float(found.change), measure.unit)}</b>"
    before, after = (fmt.number(one.value, measure.unit) for one in (found.before, found.after))
    text = f"<b>{fmt.html(measure.title)}</b> {direction}{size}: from {before} to {after}."
    if found.adds_up and found.parts:
        strongest = found.parts[0]
        text += f" Most of it: <b>{fmt.html(strongest.value or '(none)')}</b> ({_signed(strongest, measure)})."
    return f'<p class="bv bv-lead">{text}</p>'


def _signed(part: PartOfChange, measure: Measure) -> str:
    return _sign(float(part.effect or 0), measure.unit)


def _sign(value: float, unit: Unit) -> str:
    return f"{fmt.MINUS if value < 0 else '+'}{fmt.difference(value, unit)}" if value else fmt.difference(0, unit)


def parts(found: Explanation, measure: Measure, by: str) -> str:
    """The parts of the change, the strongest first, and their sum."""
    shown = found.parts[:PARTS_SHOWN]
    ratio = any(part.mix is not None for part in shown)
    heads = [fmt.words(by), "Before", "Now"] + (["Better or worse", "More or less of it"] if ratio else [])
    heads.append("Adds to the change" if found.adds_up else "Shifted it by")
    rows: list[list[Cell | str]] = [
        [
            Cell(part.value or "(none)"),
            family.cell(part.before, measure),
            family.cell(part.after, measure),
            *([Cell(_sign(float(one or 0), measure.unit)) for one in (part.rate, part.mix)] if ratio else []),
            Cell(_sign(float(part.effect or 0) if found.adds_up else part.shift or 0.0, measure.unit)),
        ]
        for part in shown
    ]
    if found.adds_up:
        rest = found.parts[PARTS_SHOWN:]
        if rest:
            rows.append(
                [
                    Cell(f"{len(rest)} more"),
                    "",
                    "",
                    *([""] * 2 if ratio else []),
                    Cell(_sign(float(sum(one.effect or 0 for one in rest)), measure.unit)),
                ]
            )
        rows.append(
            [
                Cell("The whole change"),
                family.cell(found.before, measure),
                family.cell(found.after, measure),
                *([Cell(_sign(float(sum(one or 0 for one in sums)), measure.unit)) for sums in _both(found)] if ratio else []),
                Cell(_sign(float(found.change or 0), measure.unit)),
            ]
        )
    return tables.table(heads, rows, caption=f"What moved {measure.title}", numeric=range(1, len(heads)), total=found.adds_up)


def _both(found: Explanation) -> tuple[list[Fraction | None], list[Fraction | None]]:
    """Every part's rate and mix."""
    return [one.rate for one in found.parts], [one.mix for one in found.parts]


def note(found: Explanation) -> str:
    """How to read the parts."""
    if found.adds_up:
        return "The parts add up to the change exactly. Better or worse: their own rate moved. More or less of it: their weight in the whole did."
    return "A percentile has no parts that add up: each line says how far it moved because that part's orders are now other ones."
