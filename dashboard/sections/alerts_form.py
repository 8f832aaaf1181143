"""The form of an alert rule, with its back-test: when the rule would have fired in the past."""

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.locale import reader
from dashboard.components.tables import Cell
from dashboard.frame import access, messages, page, save_view, user_name
from dashboard.notifications import delivery
from metrics.access import Action
from metrics.alerts import evaluate, storage
from metrics.alerts.rules import (
    ABOVE,
    BELOW,
    CONDITIONS,
    MOVED,
    OFF_TARGET,
    OTHER,
    PERIODS,
    SIGNAL,
    WITHOUT_LIMIT,
    Reading,
    Rule,
    unsupported,
    validation_errors,
)
from metrics.errors import BuyerviewError
from metrics.measures.catalog import MEASURES
from metrics.model.dimensions import DIMENSIONS
from metrics.model.measure import Unit
from metrics.model.point import INCONCLUSIVE
from metrics.model.statistics import Number
from metrics.store.connection import open_store
from metrics.warehouse import locate

BACK_TEST_PERIODS = 26
"""Periods of a back-test."""
SHARE = 100.0
"""Factor between stored shares and typed percentages."""
MEANT = {
    BELOW: "below",
    ABOVE: "above",
    OFF_TARGET: "off target",
    SIGNAL: "worse than by chance (a signal)",
    MOVED: "worse than in the prior period by more than",
    OTHER: "different from the prior period by more than",
}
BESIDE: dict[str, Any] = {"horizontal": True, "vertical_alignment": "bottom", "gap": "small"}


def number(measure: str, value: Number | None) -> str:
    """Return a value in the measure's unit; a dash if there is none, or if the measure no longer exists."""
    return (
        formatting.number(value, MEASURES[measure].unit)
        if measure in MEASURES and value is not None
        else formatting.DASH
    )


def rule_form() -> None:
    """Draw the form: measure, condition, recipients, back-test and the button that saves the rule."""
    held: Rule = st.session_state.get("_rule") or Rule("", "otif", OFF_TARGET)
    st.header(f"Change “{held.name}”" if held.rule_id else "New rule", anchor=False)
    if saved := messages.read("_rule_saved", ""):
        st.toast(formatting.markdown(saved), icon=":material/check:")
    # A saved rule has other widget keys than the next one, so that the form is empty again.
    key = f"{held.rule_id}_{held.version}" + "_next" * st.session_state.get("_rules_written", 0)
    rule = _recipients(_condition(_subject(held, key), key), key)
    direction = MEASURES[rule.measure].direction
    wrong = validation_errors(rule, direction)
    if not unsupported(rule, direction):
        _back_test(rule)
    if message := messages.read("_rule_told", ""):  # above the button, which may be the last line on the screen
        theme.show_html(f'<div role="alert">{cards.banner(formatting.html(message))}</div>')
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Save rule", type="primary", on_click=_save, args=(rule, wrong), key="rule_save")
        if held.rule_id:
            st.button("Create a new rule", on_click=open_rule, args=(None,), key="rule_new")
    for one in wrong if rule.name else []:
        st.caption(formatting.markdown(one))


def _subject(held: Rule, key: str) -> Rule:
    """Draw name and measure; return the rule with the typed values."""
    with st.container(**BESIDE):
        user_name.name_field()
        name = st.text_input(
            "Name", held.name, key=f"rule_name_{key}", max_chars=80, width=260, placeholder="Segment A late"
        )
        names = sorted(MEASURES, key=lambda one: MEASURES[one].title)
        at = names.index(held.measure) if held.measure in names else names.index("otif")
        measure = st.selectbox(
            "Measure", names, at, format_func=lambda one: MEASURES[one].title, key=f"rule_measure_{key}", width=320
        )
    return replace(held, name=name.strip(), measure=measure)


def _condition(rule: Rule, key: str) -> Rule:
    """Draw the condition; return the rule with the typed values. An empty limit is None."""
    unit = MEASURES[rule.measure].unit
    scale, mark = (SHARE, "%") if unit is Unit.SHARE else (1.0, str(unit))
    limit = over = None
    with st.container(**BESIDE):
        condition = st.selectbox(
            "When it is",
            list(CONDITIONS),
            CONDITIONS.index(rule.condition),
            format_func=MEANT.__getitem__,
            key=f"rule_is_{key}",
            width=240,
        )
        if condition not in WITHOUT_LIMIT:
            limit = st.number_input(
                f"Limit ({mark})",
                value=_scaled(rule.limit, scale),
                key=f"rule_limit_{key}",
                width=150,
                placeholder="90",
            )
        if condition in (BELOW, ABOVE):
            wavers = "The alert clears at this value. A value that hovers around the limit sends one message only"
            over = st.number_input(
                f"Clears at ({mark})",
                value=_scaled(rule.clear_at, scale),
                key=f"rule_over_{key}",
                width=150,
                placeholder="the limit",
                help=wavers,
            )
        period = st.selectbox(
            "In the last whole", list(PERIODS), list(PERIODS).index(rule.period), key=f"rule_period_{key}", width=150
        )
        often = "Periods in a row, however many data versions one period has"
        in_a_row = st.number_input("Times in a row", 1, 20, rule.in_a_row, key=f"rule_row_{key}", width=150, help=often)
        min_n = st.number_input("Judged at least", 1, 100_000, rule.min_n, key=f"rule_min_{key}", width=140)
        unknown = "Coverage of all in view. With less, the rule neither fires nor clears"
        known = st.number_input(
            "Coverage at least (%)",
            0.0,
            SHARE,
            _scaled(rule.min_coverage, SHARE),
            1.0,
            "%.0f",
            f"rule_known_{key}",
            unknown,
            width=150,
        )
    return replace(
        rule,
        condition=condition,
        limit=_scaled(limit, 1 / scale),
        clear_at=_scaled(over, 1 / scale),
        period=period,
        in_a_row=int(in_a_row),
        min_n=int(min_n),
        min_coverage=round((known or 0) / SHARE, 12),
    )


def _scaled(value: float | None, by: float) -> float | None:
    """Convert between typed and stored numbers. Rounding stores a typed 90 as exactly 0.9."""
    return None if value is None else round(value * by, 12)


def _recipients(rule: Rule, key: str) -> Rule:
    """Draw filters, recipients and quiet hours; return the rule with the typed values."""
    where = _where(rule, key)
    with st.container(**BESIDE):
        to = st.text_input(
            "Mail to", _listed(rule, "mailto"), key=f"rule_mail_{key}", placeholder="ops@example.org, …", width=280
        )
        names = {
            kind: st.text_input(
                title,
                _listed(rule, kind),
                key=f"rule_{kind}_{key}",
                placeholder="OPS",
                width=120,
                help=f"The NAME in the environment variable BUYERVIEW_{kind.upper()}_NAME",
            )
            for kind, title in (("webhook", "Webhooks"), ("slack", "Slack"), ("teams", "Teams"))
        }
        quiet = st.toggle("Quiet hours", rule.quiet_from is not None, key=f"rule_quiet_{key}")
        start = st.time_input("From", rule.quiet_from or time(20), key=f"rule_from_{key}", width=110) if quiet else None
        end = st.time_input("To", rule.quiet_to or time(7), key=f"rule_to_{key}", width=110) if quiet else None
        muted = st.date_input(
            "Muted until", rule.muted_until, key=f"rule_muted_{key}", format=reader().date_input, width=150
        )
    return replace(
        rule, where=where, quiet_from=start, quiet_to=end,
        channels=(*_channels("mailto", to), *(one for kind, typed in names.items() for one in _channels(kind, typed))),
        muted_until=datetime.combine(muted, time()) if isinstance(muted, date) else None,
    )  # fmt: skip


def _where(rule: Rule, key: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Draw the filters and return them.

    A saved value that the data no longer has stays on offer, because it may reappear.
    """
    options, held = page.data_status().options, dict(rule.where)
    able = [name for name in DIMENSIONS if name == "customer" or len(options[name]) > 1 or name in held]
    with st.container(**BESIDE):
        names = st.multiselect(
            "Filters",
            able,
            list(held) or ["segment"] * ("segment" in able),
            key=f"rule_by_{key}",
            format_func=formatting.in_words,
            placeholder="All",
            width=280,
        )
        found = []
        for name in names:
            mine, word = list(held.get(name, ())), formatting.in_words(name)
            if options[name]:
                values = list(dict.fromkeys([*options[name], *mine]))
                chosen = st.multiselect(word, values, mine, key=f"rule_{name}_{key}", placeholder="All", width=220)
            else:  # too many to list
                typed = st.text_input(
                    word,
                    ", ".join(mine),
                    key=f"rule_{name}_{key}",
                    help="Exactly as in your system, separated by commas",
                    width=220,
                )
                chosen = [one.strip() for one in typed.split(",") if one.strip()]
            found += [(name, tuple(chosen))] if chosen else []
    return tuple(found)


def _listed(rule: Rule, kind: str) -> str:
    return ", ".join(channel.removeprefix(f"{kind}:") for channel in rule.channels if channel.startswith(f"{kind}:"))


def _channels(kind: str, typed: str) -> list[str]:
    return [f"{kind}:{one.strip()}" for one in typed.split(",") if one.strip()]


def _back_test(rule: Rule) -> None:
    """Draw the back-test of a rule."""
    as_of = page.as_of()
    if as_of is None:
        return
    try:
        seen = queries.shared(evaluate.back_test, page.generation(), rule, as_of.date(), periods=BACK_TEST_PERIODS)
    except BuyerviewError as error:
        st.caption(formatting.markdown(str(error)))
        return
    events = [one for one in seen if one.event]
    known = [one for one in seen if not one.decided.startswith(INCONCLUSIVE)]
    times = formatting.count(sum(event.event == "fired" for event in events), "time")
    periods = f"periods of {rule.period}" if rule.period.endswith("s") else f"{rule.period}s"
    sentence = f"<b>Over the last {BACK_TEST_PERIODS} {periods} it would have fired {times}</b>"
    theme.show_html(
        f'<p class="bv">{sentence} <span class="bv-muted">({len(known)} of {BACK_TEST_PERIODS} had enough '
        "evidence).</span></p>"
    )
    st.caption("Based on the current data version, not on the data known at the time.")
    if events:
        rows = [
            [
                Cell(formatting.date_range(event.reading.start, event.reading.end)),
                Cell("would have fired" if event.event == "fired" else "cleared"),
                Cell(number(rule.measure, event.reading.value)),
                Cell(_counts(event.reading)),
            ]
            for event in reversed(events)
        ]
        theme.show_html(
            tables.table(("Period", "Event", "Value", "Counted"), rows, caption="Back-test of the rule", numeric=(2, 3))
        )


def open_rule(rule: Rule | None) -> None:
    """Open a rule in the form; None opens a new rule."""
    st.session_state["_rule"] = rule


@access.guarded(Action.SET_ALERTS)
def _save(rule: Rule, wrong: list[str]) -> None:
    nameless = [] if user_name.has_user_name() else ["Enter your name at the top of this form. The rule shows it."]
    if wrong := [*wrong, *delivery.refused_channels(rule.channels), *nameless]:
        st.session_state["_rule_told"] = " ".join(wrong)
        return
    try:
        with open_store(locate()) as store:
            storage.save(store, user_name.user_name(), rule, at=save_view.now())
    except BuyerviewError as error:
        st.session_state["_rule_told"] = str(error)
        return
    st.session_state["_rule"] = None
    st.session_state["_rules_written"] = st.session_state.get("_rules_written", 0) + 1
    st.session_state["_rule_saved"] = f"Saved “{rule.name}”. It is checked with the next data version."


@access.guarded(Action.SET_ALERTS)
def remove(rule: Rule) -> None:
    """Delete a rule."""
    try:
        with open_store(locate()) as store:
            storage.remove(store, user_name.user_name(), rule)
    except BuyerviewError as error:
        st.session_state["_rule_told"] = str(error)
        return
    st.session_state["_rule"] = None


def _counts(reading: Reading) -> str:
    """Return numerator and denominator of a reading as text; "" if it is no ratio."""
    if reading.denominator is None:
        return ""
    return f"{formatting.number(reading.numerator)} of {formatting.number(reading.denominator)}"
