"""The filter bar. The frame draws it on each page; `address.py` keeps its query parameters from page to page.

The address contains only filters that the user set. Values of the data appear unchanged in the address, and escaped in
controls that read Markdown.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta

import streamlit as st

from dashboard.components import cards, formatting, theme
from dashboard.components.locale import reader
from dashboard.frame import access, live_refresh, save_view
from dashboard.frame import period as periods
from dashboard.frame.menu_entries import Filter
from dashboard.frame.period import Period
from metrics.access import Action
from metrics.facts.orders import NONE

MAX_PILLS = 8
"""With more segments, a list replaces the pills."""

EARLIEST = date(1990, 1, 1)
"""Earliest day that can be selected. It precedes the data, because Streamlit silently changes a day out of bounds."""

MORE = {
    "region": ("Region", "All regions"),
    "channel": ("Channel", "All channels"),
    "fulfilment_model": ("Fulfilment model", "All models"),
    "carrier": ("Carrier", "All carriers"),
    "product_category": ("Product category", "All categories"),
    "currency": ("Currency", "All currencies"),
    "customer": ("Customer number", "All customers"),
}
"""Dimensions under "More filters": label and placeholder."""

SAVE_VIEW = "Save view"
"""Label of the menu with the form that saves a view."""


@dataclass(frozen=True)
class Filters:
    """Period, filters and comparisons of a page."""

    period: Period
    where: tuple[tuple[str, tuple[str, ...]], ...]
    compare: tuple[str, ...] = periods.COMPARISONS
    """Selected COMPARISONS."""

    @property
    def comparisons(self) -> dict[str, tuple[date, date]]:
        """Days of each selected comparison that exists, by its name."""
        return {name: days for name in self.compare if (days := self.period.compared(name)) is not None}

    @property
    def start(self) -> date:
        """First day of the period."""
        return self.period.start

    @property
    def end(self) -> date:
        """Last day of the period."""
        return self.period.end

    @property
    def label(self) -> str:
        """Filters in words, not escaped."""
        chosen = [
            f"{', '.join(values)}" if name != "segment" else f"segment {', '.join(values)}"
            for name, values in self.where
        ]
        return " · ".join(chosen) or "all orders"


def bar(
    options: dict[str, list[str]], *, as_of: date, first: date, last: date, shown: Collection[Filter], link: str
) -> Filters:
    """Draw the filter bar and return its filters.

    shown: the filters that narrow the page. The others are hidden and keep their query parameters. link: permanent link
    to the current numbers.
    """
    _unknown_values(options)
    with st.container(key="filterbar" if shown else "filterbar_hidden", gap="small"):
        active = sum(_is_set(name) for name in _names(shown))
        st.toggle(
            f"Filters ({active} set)" if active else "Filters",
            key="show_filters",
            help="Show period, segment and more filters",
        )
        with st.container(horizontal=True, vertical_alignment="bottom", key="filters", gap="small"):
            with _room(Filter.PERIOD, shown):
                choice, days = _period(as_of=as_of, first=first, last=last)
            with _room(Filter.ORDERS, shown):
                where = [("segment", _segment(options["segment"]))]
            more, compare, grain = _more(options, shown)
            where += more
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="share", width="content"):
                theme.show_html(live_refresh.copy_button(link), width="content")
                if access.may(Action.SAVE_VIEWS):
                    with st.popover(SAVE_VIEW, icon=":material/bookmark_add:", key="save_view"):
                        save_view.save_view_form()
        period = periods.choose(choice or periods.DEFAULT, as_of=as_of, first=first, days=days, grain=grain)
        _chips(period, where, compare, grain, shown)
    # sorted, so that the order of clicks makes no difference
    chosen = tuple((name, tuple(sorted(values))) for name, values in where if values)
    return Filters(period, chosen, compare)


def _room(one: Filter, shown: Collection[Filter]) -> AbstractContextManager[object]:
    """Return a hidden container for a filter that does not narrow the page: its control keeps value and address."""
    return nullcontext() if one in shown else st.container(key=f"hidden_{one}", width="content")


def _names(shown: Collection[Filter]) -> tuple[str, ...]:
    """Return the names of the controls of these filters."""
    return tuple(
        name
        for one in Filter
        if one in shown
        for name in (("segment", *MORE) if one is Filter.ORDERS else (one.value,))
    )


def _period(*, as_of: date, first: date, last: date) -> tuple[str | None, tuple[date, ...]]:
    """Draw the choice of the period; return it, and the selected days."""
    choice = st.segmented_control(
        "Period",
        periods.CHOICES,
        default=periods.DEFAULT,
        required=True,
        key="period",
        bind="query-params",
        help="Whole weeks up to the last one, quarter or year to date, all data, or selected days",
    )
    if choice != periods.DATES:
        return choice, ()
    before = periods.choose(periods.DEFAULT, as_of=as_of, first=first)
    selected = st.date_input(
        "From and to",
        (before.start, before.end),
        min_value=EARLIEST,
        max_value=max(last, as_of) + timedelta(days=730),
        format=reader().date_input,
        key="dates",
        bind="query-params",
        width=230,
    )
    return choice, selected if isinstance(selected, tuple) else (selected,)


def _unknown_values(options: dict[str, list[str]]) -> None:
    """Warn about filter values of the address that no order has. Their controls drop them, so the page shows more."""
    unknown = [
        f"{formatting.in_words(name).lower()} {value}"
        for name in ("segment", *MORE)
        for value in st.query_params.get_all(name)
        if options[name] and value not in {*options[name], *map(_pill, options[name])}
    ]
    wrong = [
        f"{name} {value}"
        for name, known in (("period", periods.CHOICES), ("grain", periods.GRAINS))
        if (value := st.query_params.get(name)) is not None and value not in known
    ]
    if wrong:
        theme.show_html(cards.banner(f"<b>Filters ignored:</b> there is no {formatting.html(', '.join(wrong))}."))
    if unknown:
        theme.show_html(cards.banner(f"<b>Filters ignored:</b> no order has {formatting.html(', '.join(unknown))}."))


def _is_set(name: str) -> bool:
    """Return True if a filter is set by its control or, on a first run, by the address."""
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
    """Return the label of a pill, which is Markdown. Plain words stay unescaped, because the address has the label."""
    is_plain = segment == NONE or segment.replace(" ", "").isalnum()
    return segment if is_plain else formatting.markdown(segment)


def _chips(
    period: Period,
    where: list[tuple[str, list[str]]],
    compare: tuple[str, ...],
    grain: str | None,
    shown: Collection[Filter],
) -> None:
    """Draw one button per shown filter that removes it, and one that removes all of them."""
    chips: list[tuple[str, str, str | None]] = []
    if period.choice != periods.DEFAULT and Filter.PERIOD in shown:
        days = formatting.date_range(period.start, period.end)
        name = days if period.choice == periods.DATES else period.name[:1].upper() + period.name[1:]
        chips.append((name, "period", None))
    if Filter.ORDERS in shown:
        chips += [(f"{formatting.in_words(name)}: {value}", name, value) for name, values in where for value in values]
    if compare != periods.COMPARISONS and Filter.COMPARE in shown:
        chips.append((f"Compared with {' and '.join(compare) or 'nothing'}", "compare", None))
    if grain and Filter.GRAIN in shown:
        chips.append((f"Trends by {grain}", "grain", None))
    with st.container(horizontal=True, key="chips", gap="small"):
        if not chips:  # keep the place, so that the first filter does not move the page
            theme.show_html('<span class="bv-no-chips"></span>', width="content")
        for label, name, value in chips:
            key = f"chip_{name}" if value is None else f"chip_{name}_{value}"
            st.button(
                f"{formatting.markdown(label)} ✕", key=key, help="Remove filter", on_click=clear, args=(name, value)
            )
        if len(chips) > 1:
            st.button("Clear filters", key="chip_all", type="tertiary", on_click=clear_all, args=(_names(shown),))


def clear(name: str, value: str | None = None) -> None:
    """Remove a filter, or one value of it."""
    st.session_state.pop("_address", None)  # `address.dropped_values` must not restore it
    values = st.session_state.get(name)
    if name == "period":
        st.session_state[name] = periods.DEFAULT
    elif name == "compare":
        st.session_state[name] = list(periods.COMPARISONS)
    elif value is not None and isinstance(values, list):
        st.session_state[name] = [other for other in values if other != value]
    else:
        st.session_state[name] = None if name == "grain" else ""


def clear_all(names: Sequence[str]) -> None:
    """Remove all filters of these names."""
    st.session_state.pop("_address", None)
    for name in names:
        if name in ("period", "compare", "grain"):
            clear(name)
        elif name in st.session_state:
            st.session_state[name] = [] if isinstance(st.session_state[name], list) else ""


def _more(
    options: dict[str, list[str]], shown: Collection[Filter]
) -> tuple[list[tuple[str, list[str]]], tuple[str, ...], str | None]:
    """Draw "More filters": other dimensions, comparisons and the grain of trends."""
    offered = {name: texts for name, texts in MORE.items() if name == "customer" or len(options[name]) > 1}
    count = sum(_is_set(name) for name in offered)
    where = []
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
            where.append((name, chosen))
        with _room(Filter.COMPARE, shown):
            compared = st.pills(
                "Compare with",
                periods.COMPARISONS,
                selection_mode="multi",
                default=periods.COMPARISONS,
                key="compare",
                bind="query-params",
                help="The prior period of the same length, and the same part of last year",
            )
        with _room(Filter.GRAIN, shown):
            grain = st.selectbox(
                "Trends by",
                periods.GRAINS,
                index=None,
                key="grain",
                placeholder="Default for the period",
                bind="query-params",
            )
    return where, tuple(name for name in periods.COMPARISONS if name in compared), grain
