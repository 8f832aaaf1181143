"""The filter bar: drawn by the frame, so that what was chosen and the address outlive a change of page.

The address holds only what someone chose. Values of the data stand in it as they are; where a control reads Markdown
they are escaped.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.components import cards, formatting, theme
from dashboard.components.locale import reader
from dashboard.frame import live_refresh, save_view
from dashboard.frame import period as periods
from dashboard.frame.period import Period

MAX_PILLS = 8
"""More segments than this stand in a list instead."""

EARLIEST = date(1990, 1, 1)
"""Days before the data may be asked for: the page names the nearest that has some. A refused date would silently become
another.
"""

MORE = {
    "region": ("Region", "All regions"),
    "channel": ("Channel", "All channels"),
    "fulfilment_model": ("Fulfilment model", "All models"),
    "carrier": ("Carrier", "All carriers"),
    "product_category": ("Product category", "All categories"),
    "currency": ("Currency", "All currencies"),
    "customer": ("Customer number", "All customers"),
}
"""Dimensions behind "More filters": label and what stands while nothing is chosen."""

KEPT_PARAMETERS = ("period", "dates", "segment", *MORE, "compare", "grain", live_refresh.PIN)
"""Parts of the address that belong to the frame."""


@dataclass(frozen=True)
class Filters:
    """What the page answers for."""

    period: Period
    where: tuple[tuple[str, tuple[str, ...]], ...]
    compare: tuple[str, ...] = periods.COMPARISONS
    """Which of COMPARISONS stand beside a number."""

    @property
    def comparisons(self) -> dict[str, tuple[date, date]]:
        """The days to compare with, by their name, of those chosen that there are."""
        return {name: days for name in self.compare if (days := self.period.compared(name)) is not None}

    @property
    def start(self) -> date:
        """First day."""
        return self.period.start

    @property
    def end(self) -> date:
        """Last day."""
        return self.period.end

    @property
    def label(self) -> str:
        """The filters in words, not escaped."""
        chosen = [
            f"{', '.join(values)}" if name != "segment" else f"segment {', '.join(values)}"
            for name, values in self.where
        ]
        return " · ".join(chosen) or "all orders"


def bar(options: dict[str, list[str]], *, as_of: date, first: date, last: date, shown: bool, link: str) -> Filters:
    """Draw the bar and return what is chosen. Not `shown`: it is there for the address, but a page without filters
    hides it.

    link: what shows these very numbers again.
    """
    _left_out(options)
    with st.container(key="filterbar" if shown else "filterbar_hidden", gap="small"):
        active = sum(_is_set(name) for name in ("period", "segment", *MORE, "compare", "grain"))
        st.toggle(
            f"Filters ({active} set)" if active else "Filters",
            key="show_filters",
            help="Show the period, the segment and more filters",
        )
        with st.container(horizontal=True, vertical_alignment="bottom", key="filters", gap="small"):
            choice = st.segmented_control(
                "Period",
                periods.CHOICES,
                default=periods.DEFAULT,
                required=True,
                key="period",
                bind="query-params",
                help="Whole weeks up to the last one the data covers, the quarter or year to date, all data, or days of your choice",
            )
            days: Any = ()
            if choice == periods.DATES:
                before = periods.choose(periods.DEFAULT, as_of=as_of, first=first)
                days = st.date_input(
                    "From and to",
                    (before.start, before.end),
                    min_value=EARLIEST,
                    max_value=max(last, as_of) + timedelta(days=730),
                    format=reader().date_input,
                    key="dates",
                    bind="query-params",
                    width=230,
                )
            where = [("segment", _segment(options["segment"]))]
            more, compare, grain = _more(options)
            where += more
            with st.popover(
                "Copy link", icon=":material/link:", key="copy_link", help="A link that shows these very numbers again"
            ):
                st.caption("Shows these very numbers again, also after newer data is published.")
                st.code(link, language=None, wrap_lines=True)
                save_view.save_view_form()
        days = days if isinstance(days, tuple) else (days,)
        period = periods.choose(choice or periods.DEFAULT, as_of=as_of, first=first, days=tuple(days), grain=grain)
        _chips(period, where, compare, grain)
    chosen = tuple(
        (name, tuple(sorted(values))) for name, values in where if values
    )  # the same view however it was clicked together
    return Filters(period, chosen, compare)


def _left_out(options: dict[str, list[str]]) -> None:
    """Say which values of the address no order has: their controls are about to drop them, and more would be shown than
    was asked for.
    """
    unknown = [
        f"{formatting.in_words(name).lower()} {value}"
        for name in ("segment", *MORE)
        for value in st.query_params.get_all(name)
        if options[name] and value not in {*options[name], *map(_pill, options[name])}
    ]
    if unknown:
        theme.show_html(
            cards.banner(f"<b>Left out of the filters:</b> no order has {formatting.html(', '.join(unknown))}.")
        )


def _is_set(name: str) -> bool:
    """Whether a filter is chosen: by its control, or on a first run by the address, which its control has not read yet."""
    if name == "compare":
        asked = st.query_params.get_all(name) if name in st.query_params else periods.COMPARISONS
        return set(st.session_state.get(name, asked)) != set(periods.COMPARISONS)
    value = st.session_state[name] if name in st.session_state else st.query_params.get(name)
    return bool(value) and value != periods.DEFAULT


def _segment(segments: list[str]) -> list[str]:
    if len(segments) < 2:
        return []
    if len(segments) > MAX_PILLS:
        return st.multiselect(
            "Segment", segments, key="segment", placeholder="All segments", bind="query-params", width=260
        )
    return st.pills("Segment", segments, selection_mode="multi", key="segment", format_func=_pill, bind="query-params")


def _pill(segment: str) -> str:
    """A pill's label is Markdown: escape what is not a plain word (and leave plain words alone, since the label stands
    in the address).
    """
    return segment if segment.replace(" ", "").isalnum() else formatting.markdown(segment)


def _chips(period: Period, where: list[tuple[str, list[str]]], compare: tuple[str, ...], grain: str | None) -> None:
    """What is set, each to be cleared by a click, and all of it."""
    chips: list[tuple[str, str, str | None]] = []
    if period.choice != periods.DEFAULT:
        chips.append(
            (
                formatting.date_range(period.start, period.end)
                if period.choice == periods.DATES
                else period.name[:1].upper() + period.name[1:],
                "period",
                None,
            )
        )
    chips += [(f"{formatting.in_words(name)}: {value}", name, value) for name, values in where for value in values]
    if compare != periods.COMPARISONS:
        chips.append((f"Compared with {' and '.join(compare) or 'nothing'}", "compare", None))
    if grain:
        chips.append((f"Trends by {grain}", "grain", None))
    if not chips:
        return
    with st.container(horizontal=True, key="chips", gap="small"):
        for label, name, value in chips:
            key = f"chip_{name}" if value is None else f"chip_{name}_{value}"
            st.button(
                f"{formatting.markdown(label)} ✕", key=key, help="Take it off", on_click=clear, args=(name, value)
            )
        if len(chips) > 1:
            st.button("Clear all", key="chip_all", type="tertiary", on_click=clear_all)


def clear(name: str, value: str | None = None) -> None:
    """Take one filter off, or one value of it."""
    st.session_state.pop("_address", None)  # what is taken off is not lost
    held = st.session_state.get(name)
    if name == "period":
        st.session_state[name] = periods.DEFAULT
    elif name == "compare":
        st.session_state[name] = list(periods.COMPARISONS)
    elif value is not None and isinstance(held, list):
        st.session_state[name] = [one for one in held if one != value]
    else:
        st.session_state[name] = None if name == "grain" else ""


def clear_all() -> None:
    """Take all filters off."""
    st.session_state.pop("_address", None)
    for name in ("period", "compare", "grain"):
        clear(name)
    for name in ("segment", *MORE):
        if name in st.session_state:
            st.session_state[name] = [] if isinstance(st.session_state[name], list) else ""


def _more(options: dict[str, list[str]]) -> tuple[list[tuple[str, list[str]]], tuple[str, ...], str | None]:
    """Filters that stand behind a button, what to compare with, and the grain of trends."""
    offered = {name: texts for name, texts in MORE.items() if name == "customer" or len(options[name]) > 1}
    count = sum(_is_set(name) for name in offered)
    found = []
    with st.popover(f"More filters ({count})" if count else "More filters", icon=":material/tune:", key="more_filters"):
        for name, (label, placeholder) in offered.items():
            values = options[name]
            if values:
                chosen = st.multiselect(label, values, key=name, placeholder=placeholder, bind="query-params")
            else:  # too many to list
                typed = st.text_input(
                    label, key=name, placeholder=placeholder, bind="query-params", help="Exactly as in your system"
                )
                chosen = [typed.strip()] if typed and typed.strip() else []
            found.append((name, chosen))
        compared = st.pills(
            "Compare with", periods.COMPARISONS, selection_mode="multi", default=periods.COMPARISONS, key="compare", bind="query-params",
            help="As many days before, and the same part of last year",
        )  # fmt: skip
        grain = st.selectbox(
            "Trends by",
            periods.GRAINS,
            index=None,
            key="grain",
            placeholder="what suits the period",
            bind="query-params",
        )
    return found, tuple(name for name in periods.COMPARISONS if name in compared), grain


def filters_url() -> dict[str, list[str]]:
    """What of the address the frame keeps from page to page: what was chosen in the bar, and the generation shown. {}
    while nobody looks.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return {}
    found: dict[str, list[str]] = st.session_state.get("_address", {})
    return found


def dropped_values(path: str) -> dict[str, list[str]]:
    """The whole address as it should be, where a change to the page at `path` lost the filters of it; else {}.

    A browser keeps of the address what its controls have bound: clicked before they are drawn, a menu's link has none
    of it. Going back to an address that had no filters is no loss.
    """
    came_from, before = st.session_state.get("_path"), filters_url()
    st.session_state["_path"] = path
    context = get_script_run_ctx(suppress_warning=True)
    now = _of_address()
    if came_from in (None, path) or not before or now or (context is not None and context.is_history_navigation):
        st.session_state["_address"] = now  # also where this run does not come to its end
        return {}
    return {name: st.query_params.get_all(name) for name in st.query_params} | before


def _of_address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in KEPT_PARAMETERS if name in st.query_params}


def store_choice(filters: Filters) -> None:
    """Keep the filters for the page of this run."""
    st.session_state["_filters"] = filters
    st.session_state["_address"] = _of_address()


def read_filters() -> Filters:
    """The filters of this run, as the frame drew them."""
    return st.session_state["_filters"]
