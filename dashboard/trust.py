"""The parts of the data quality page that say how far the numbers can be trusted: in a sentence, check by check, and feed by feed."""

from collections.abc import Iterable
from datetime import UTC, datetime

import streamlit as st

from dashboard import cards, data, drill, look, marks, page, tables
from dashboard import format as fmt
from dashboard.tables import Cell
from metrics.catalog import MEASURES
from metrics.lists.listing import Row
from metrics.marks import HELD_SHARE, Failed, Late
from metrics.measure import Unit

CHECKS_SHOWN = 8
"""Checks in view; the others are behind a fold."""
NAMED = 4
"""Measures named beside a check; the others are behind a fold."""


def _feeds() -> list[Row]:
    found: list[Row] = data.ledger(page.generation(), "feed_rows")
    return found


def _touched() -> dict[Failed, list[str]]:
    """The checks that keep records out of numbers now, the most records first, with the measures they concern; those that hold numbers come first."""
    found: dict[Failed, list[str]] = {}
    for name in MEASURES:
        for one in marks.of(name).failed:
            found.setdefault(one, []).append(name)
    return dict(sorted(found.items(), key=lambda one: (one[0].share <= HELD_SHARE, -one[0].records, one[0].feed, one[0].rule)))


def _late() -> dict[str, Late]:
    return {one.feed: one for name in MEASURES for one in marks.of(name).late}


def headline() -> str:
    """Whether the numbers can be trusted, in a few sentences."""
    freshness, touched, late = page.facts()["freshness"], _touched(), _late()
    rows = _feeds()
    came, kept_out = (sum(int(row[name]) for row in rows) for name in ("rows_in", "rows_quarantined"))
    concerned = {name for names in touched.values() for name in names}
    held = [name for name in concerned if marks.of(name).held]
    wrong = [row for row in rows if not adds_up(row)]
    declared = "as the source declared" if freshness.get("data_as_of_declared") else "the latest accepted event"
    said = [f"Data as of <strong>{fmt.html(fmt.moment(freshness.get('data_as_of')))}</strong>, {declared}."]
    share = kept_out / came if came else 0.0
    said.append(
        f"<strong>{fmt.written(came - kept_out)}</strong> of {fmt.written(came)} records were accepted; {fmt.written(kept_out)} "
        f"({fmt.percent(share, 2)}) are kept out and concern {fmt.count(len(concerned), 'measure')}."
        if kept_out
        else f"All <strong>{fmt.written(came)}</strong> records were accepted."
    )
    said.append(f"<strong>{fmt.count(len(held), 'number is', 'numbers are')} held</strong>: too many records are kept out of them." if held else "")
    said.append(f"Late: {fmt.html(', '.join(fmt.words(feed).lower() for feed in late))}." if late else "")
    said.append("Every row given is accounted for." if not wrong else f"<strong>{len(wrong)} feeds do not add up.</strong>")
    return f'<div class="bv bv-headline"><span>{" ".join(one for one in said if one)}</span></div>'


def checks() -> None:
    """Draw the checks that keep records out, each with the measures it touches."""
    st.header("Checks that failed, and the numbers they touch", anchor=False)
    touched = _touched()
    if not touched:
        look.html(cards.empty("No check concerns a number", "Nothing is kept out of any measure."))
        return
    listed = [*touched.items()]
    look.html(_checks(listed[:CHECKS_SHOWN]))
    if len(listed) > CHECKS_SHOWN:
        with st.expander(f"{fmt.count(len(listed) - CHECKS_SHOWN, 'more check')}"):
            look.html(_checks(listed[CHECKS_SHOWN:]))
    st.caption(f"Above {fmt.percent(HELD_SHARE, 0)} of a feed's records, numbers are held: shown, and not judged against their targets.")


def _checks(listed: list[tuple[Failed, list[str]]]) -> str:
    rows = [
        [
            Cell(fmt.words(one.rule), small=f"{one.feed}.{one.column}" if one.column else one.feed),
            Cell(fmt.written(one.records)),
            Cell(markup=_share(one)),
            Cell(fmt.written(len(names))),
            Cell(markup=_named(names)),
        ]
        for one, names in listed
    ]
    heads = ("Check", "Kept out", "Of its feed", "Numbers", "Touches")
    return tables.table(heads, rows, caption="Failed checks and the measures they touch", numeric=(1, 2, 3))


def _share(one: Failed) -> str:
    shown = fmt.html(fmt.number(one.share, Unit.SHARE))
    return _state(False, "", f'{shown}<span class="bv-said">, held</span>') if one.share > HELD_SHARE else shown


def _named(names: list[str]) -> str:
    first, rest = _links(names[:NAMED]), names[NAMED:]
    more = f"<details><summary>and {len(rest)} more</summary>{_links(rest)}</details>" if rest else ""
    return f'<div class="bv-long">{first}{more}</div>'


def _links(names: Iterable[str]) -> str:
    return ", ".join(
        f'<a href="{fmt.html(drill.address("definitions", {"measure": name}))}" target="_self">{fmt.html(MEASURES[name].title)}</a>' for name in names
    )


def adds_up(row: Row) -> bool:
    """Whether each of a feed's rows is in exactly one of loaded, quarantined, superseded."""
    return bool(row["rows_in"] == row["rows_loaded"] + row["rows_quarantined"] + row["rows_superseded"])


def feeds() -> None:
    """Draw how each feed stands: when it last came, what became of its rows, and those nobody maps."""
    st.header("How each feed stands", anchor=False)
    late, now = _late(), datetime.now(UTC).replace(tzinfo=None)
    rows = [
        [
            Cell(fmt.words(row["feed"])),
            Cell(markup=_came(row, late.get(row["feed"]), now)),
            *(Cell(fmt.written(int(row[name]))) for name in ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")),
            Cell(markup=_state(adds_up(row), "yes", "no")),
        ]
        for row in _feeds()
    ]
    heads = ("Feed", "Last came", "Rows in", "Loaded", "Quarantined", "Superseded", "Adds up")
    look.html(tables.table(heads, rows, caption="Feeds, when they last came, and their rows over all runs", numeric=(2, 3, 4, 5)))
    lacking = sorted({feed for measure in MEASURES.values() for feed in measure.feeds} - page.facts()["feeds"])
    if lacking:
        st.caption(f"No source brings {fmt.markdown(', '.join(lacking))}: measures that need them say so.")


def _came(row: Row, late: Late | None, now: datetime) -> str:
    last = row["last_came"]
    if last is None:
        return fmt.DASH
    said = f'<span title="{fmt.html(fmt.moment(last))}">{fmt.age(last, now)}</span>'
    return f"{said} {_state(False, '', 'late')}" if late else said


def _state(right: bool, good: str, bad: str) -> str:
    css, shape, word = ("bv-on", "●", good) if right else ("bv-off", "▲", bad)
    return f'<span class="bv-state {css}"><i aria-hidden="true">{shape}</i>{word}</span>'
