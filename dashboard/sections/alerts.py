"""Alert rules: their states, the log of alerts, and messages that could not be sent. The form is in alerts_form.py."""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import Cell
from dashboard.frame import access, page, save_view, user_name
from dashboard.sections import alerts_form
from metrics.access import Action
from metrics.alerts import evaluate, storage
from metrics.alerts.rules import FIRING, WITHOUT_LIMIT, Rule, State
from metrics.errors import BuyerviewError, StoreUnusable
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES
from metrics.model.point import INCONCLUSIVE
from metrics.store.connection import open_store
from metrics.warehouse import locate

LOG_READ, LOG_SHOWN = 1_000, 20
"""Entries of the log that are read, and those that are shown."""


def alert_rules() -> None:
    """Draw the rules with their states, the form and the log. A person with a row scope sees the own rules only."""
    try:
        with open_store(locate(), write=False) as store:
            rules, states, last = storage.rules(store), storage.states(store), storage.last_readings(store)
            log = storage.reading_log(store, size=LOG_READ)
            waiting = [message for message in storage.messages(store) if message["sent_at"] is None]
    except StoreUnusable as error:
        theme.show_html(cards.empty("Alerts cannot be read", formatting.html(error)))
        return
    if not queries.sees_every_row():
        rules = [rule for rule in rules if rule.owner == user_name.user_name()]
        own = {rule.rule_id for rule in rules}
        log, waiting = [entry for entry in log if entry["rule_id"] in own], []
    may_change = access.may(Action.SET_ALERTS)
    with theme.card("rules"):
        st.header("Alert rules", anchor=False)
        st.caption(
            "Each new data version is checked once, over the last whole period. An inconclusive value neither "
            "fires nor clears a rule."
        )
        if rules:
            theme.show_html(_rules(rules, states, last))
            if may_change:
                _change_rule(rules)
        else:
            theme.show_html(
                cards.empty(
                    "No alert rules yet", "Create a rule below. It shows when it would have fired before you save it."
                )
            )
    if may_change:
        with theme.card("form"):
            alerts_form.rule_form()
    with theme.card("log"):
        st.header("Alert log", anchor=False)
        theme.show_html(
            _log(log[:LOG_SHOWN])
            if log
            else cards.empty("No alerts yet", "Alerts are listed here when a rule fires or clears.")
        )
        if waiting:
            theme.show_html(_waiting(waiting))


def _change_rule(rules: list[Rule]) -> None:
    """Draw the choice of a rule, and the buttons that open it in the form or delete it."""
    with (
        st.expander("Change or delete a rule", key="rule_change"),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        named = {rule.rule_id: rule for rule in rules}
        number = st.selectbox(
            "Rule", list(named), format_func=lambda one: named[one].name, key="rule_chosen", width=260
        )
        st.button("Open in the form", on_click=alerts_form.open_rule, args=(named[number],), key="rule_open")
        st.button(
            "Delete",
            on_click=alerts_form.remove,
            args=(named[number],),
            key="rule_delete",
            icon=":material/delete:",
        )


def _words(rule: Rule) -> str:
    has_limit = rule.limit is not None and rule.condition not in WITHOUT_LIMIT
    limit = f" {alerts_form.number(rule.measure, rule.limit)}" if has_limit else ""
    where = "; ".join(f"{formatting.in_words(name).lower()} {', '.join(values)}" for name, values in rule.where)
    often = f", {rule.in_a_row} times in a row" if rule.in_a_row > 1 else ""
    return f"{alerts_form.MEANT[rule.condition]}{limit} in a {rule.period}{often}{f', {where}' if where else ''}"


def _rules(rules: list[Rule], states: dict[int, tuple[State, int | None]], last: dict[int, Row]) -> str:
    rows = []
    for rule in rules:
        checked, (state, _) = last.get(rule.rule_id), states[rule.rule_id]
        seen = checked or _current_reading(rule)
        title = (
            MEASURES[rule.measure].title if rule.measure in MEASURES else f"{rule.measure} (no longer in the catalogue)"
        )
        if state.status == FIRING:
            stands = '<span class="bv-state bv-off"><i aria-hidden="true">▲</i>firing</span>'
        elif checked is None and seen and seen["decided"] == FIRING:
            stands = '<span class="bv-state bv-off"><i aria-hidden="true">▲</i>would fire</span>'
        elif seen is None or str(seen["decided"]).startswith(INCONCLUSIVE):
            stands = '<span class="bv-state bv-unproven"><i aria-hidden="true">◌</i>inconclusive</span>'
        else:
            stands = '<span class="bv-state bv-on"><i aria-hidden="true">●</i>clear</span>'
        read = (
            "not checked yet"
            if seen is None
            else f"{alerts_form.number(rule.measure, float(seen['number']) if seen['number'] else None)}"
        )
        when = "" if seen is None else formatting.date_range(seen["starts_on"], seen["ends_on"])
        when += "" if checked or seen is None else ", not checked yet"
        why = (
            str(seen["decided"]).partition(": ")[2] if seen and str(seen["decided"]).startswith(INCONCLUSIVE) else when
        )
        channels = ", ".join(channel.partition(":")[2] for channel in rule.channels) or "no channel"
        rows.append(
            [
                Cell(rule.name, small=f"by {rule.owner}"),
                Cell(title, small=_words(rule)),
                Cell(markup=stands),
                Cell(read, small=in_plain_words(why)),
                Cell(channels, small=_quiet(rule)),
            ]
        )
    return tables.table(
        ("Rule", "Measure", "Status", "Last reading", "Notifies"), rows, caption="Alert rules and their status"
    )


def _current_reading(rule: Rule) -> Row | None:
    """Return what the first check of a new rule would read in the newest data; None if it cannot be read."""
    as_of = page.as_of()
    if as_of is None:
        return None
    try:
        *_, now = queries.shared(evaluate.back_test, page.generation(), rule, as_of.date(), periods=rule.in_a_row)
    except BuyerviewError:
        return None
    reading = now.reading
    return {
        "number": None if reading.value is None else str(reading.value),
        "starts_on": reading.start,
        "ends_on": reading.end,
        "decided": now.decided,
    }


def _quiet(rule: Rule) -> str:
    notes = [f"quiet {rule.quiet_from:%H:%M}–{rule.quiet_to:%H:%M}"] if rule.quiet_from and rule.quiet_to else []
    notes += (
        [f"muted until {formatting.day(rule.muted_until.date())}"]
        if rule.muted_until and rule.muted_until > save_view.now()
        else []
    )
    return ", ".join(notes)


def _log(log: list[Row]) -> str:
    rows = [
        [
            Cell(formatting.moment(entry["at"]), small=f"data version {entry['generation']}"),
            Cell(entry["name"]),
            Cell("fired" if entry["event"] == "fired" else "cleared"),
            Cell(
                alerts_form.number(entry["measure"], float(entry["number"]) if entry["number"] else None),
                small=formatting.date_range(entry["starts_on"], entry["ends_on"]),
            ),
        ]
        for entry in log
    ]
    return tables.table(("Time", "Rule", "Event", "Value"), rows, caption="Alerts that fired and cleared", numeric=(3,))


def _waiting(messages: list[Row]) -> str:
    rows = [
        [
            Cell(message["subject"]),
            Cell(message["channel"].partition(":")[2]),
            Cell(
                formatting.moment(message["due_at"]) if message["attempts"] <= len(storage.PAUSES) else "given up",
                small=message["error"] or "not due yet",
            ),
        ]
        for message in messages
    ]
    return tables.table(("Message", "To", "Next attempt"), rows, caption="Messages not sent yet")
