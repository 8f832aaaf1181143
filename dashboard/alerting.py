"""Alert rules on the screen: how each stands, the form that writes one with what it would have said, what fired, what could not be sent."""

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import streamlit as st

from dashboard import cards, data, keeping, look, page, tables, who
from dashboard import format as fmt
from dashboard.tables import Cell
from metrics.alerts import CONDITIONS, FIRING, MOVED, NOT_PROVEN, OFF_TARGET, PERIODS, Rule, refuse
from metrics.catalog import MEASURES
from metrics.errors import BuyerviewError, StoreUnusable
from metrics.measure import Unit
from metrics.store import rules as kept
from metrics.store.opening import opened
from metrics.warehouse import locate
from metrics.watching import Seen

TRIED = 26
"""Periods a back-test looks at."""
SHARE = 100.0
"""Shares are typed in percent."""
MEANT = {"below": "below", "above": "above", OFF_TARGET: "off target", MOVED: "worse than before by more than"}


def show() -> None:
    """The rules with how they stand, the form, the log."""
    try:
        with opened(locate(), write=False) as store:
            rules, states, last = kept.rules(store), kept.states(store), kept.last_readings(store)
            log, waiting = kept.log(store, size=20), [one for one in kept.messages(store) if one["sent_at"] is None]
    except StoreUnusable as error:
        look.html(cards.empty("Alerts cannot be read", fmt.html(error)))
        return
    with look.card("rules"):
        st.header("Alert rules", anchor=False)
        st.caption("Looked at once for every generation, over the last whole period. What is not proven neither fires nor clears.")
        if rules:
            look.html(_rules(rules, states, last))
            with st.expander("Change or delete a rule", key="rule_change"), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
                named = {one.rule_id: one for one in rules}
                number = st.selectbox("Rule", list(named), format_func=lambda one: named[one].name, key="rule_chosen", width=260)
                st.button("Open in the form", on_click=_open, args=(named[number],), key="rule_open")
                st.button("Delete", on_click=_remove, args=(named[number],), key="rule_delete", icon=":material/delete:")
        else:
            look.html(cards.empty("No rule is written yet", "Write one below: it shows when it would have fired before you save it."))
    with look.card("form"):
        _form()
    with look.card("log"):
        st.header("What fired", anchor=False)
        look.html(_log(log) if log else cards.empty("Nothing fired yet", "News stands here as soon as a rule fires or is over."))
        if waiting:
            look.html(_waiting(waiting))


def _number(rule_measure: str, value: Any) -> str:
    return fmt.number(value, MEASURES[rule_measure].unit) if rule_measure in MEASURES and value is not None else fmt.DASH


def _words(rule: Rule) -> str:
    limit = "" if rule.limit is None or rule.condition == OFF_TARGET else f" {_number(rule.measure, rule.limit)}"
    where = "; ".join(f"{fmt.words(name).lower()} {', '.join(values)}" for name, values in rule.where)
    often = f", {rule.in_a_row} times in a row" if rule.in_a_row > 1 else ""
    return f"{MEANT[rule.condition]}{limit} in a {rule.period}{often}{f', {where}' if where else ''}"


def _rules(rules: list[Rule], states: dict[int, Any], last: dict[int, dict[str, Any]]) -> str:
    rows = []
    for rule in rules:
        seen, (state, _) = last.get(rule.rule_id), states[rule.rule_id]
        title = MEASURES[rule.measure].title if rule.measure in MEASURES else f"{rule.measure} (no longer there)"
        if state.status == FIRING:
            stands = '<span class="bv-state bv-off"><i aria-hidden="true">▲</i>firing</span>'
        elif seen is None or str(seen["decided"]).startswith(NOT_PROVEN):
            stands = '<span class="bv-state bv-unproven"><i aria-hidden="true">◌</i>not proven</span>'
        else:
            stands = '<span class="bv-state bv-on"><i aria-hidden="true">●</i>clear</span>'
        read = "not looked at yet" if seen is None else f"{_number(rule.measure, float(seen['number']) if seen['number'] else None)}"
        when = "" if seen is None else fmt.span(seen["starts_on"], seen["ends_on"])
        why = str(seen["decided"]).partition(": ")[2] if seen and str(seen["decided"]).startswith(NOT_PROVEN) else when
        rows.append([
            Cell(rule.name, small=f"by {rule.owner}"), Cell(title, small=_words(rule)), Cell(markup=stands), Cell(read, small=why),
            Cell(", ".join(one.partition(":")[2] for one in rule.channels) or "nobody", small=_quiet(rule)),
        ])  # fmt: skip
    return tables.table(("Rule", "Measure", "Stands", "Last reading", "Tells"), rows, caption="Alert rules and how they stand")


def _quiet(rule: Rule) -> str:
    told = [f"quiet {rule.quiet_from:%H:%M}–{rule.quiet_to:%H:%M}"] if rule.quiet_from and rule.quiet_to else []
    told += [f"muted until {fmt.day(rule.muted_until.date())}"] if rule.muted_until and rule.muted_until > keeping.now() else []
    return ", ".join(told)


# --- the form ---------------------------------------------------------------------------------------------------------------------------


def _form() -> None:
    held: Rule = st.session_state.get("_rule") or Rule("", "otif", OFF_TARGET)
    st.header(f"Change “{held.name}”" if held.rule_id else "A new rule", anchor=False)
    if told := st.session_state.pop("_rule_told", None):
        look.html(cards.banner(fmt.html(told)))
    key = f"{held.rule_id}_{held.version}" + "_next" * st.session_state.get("_rules_written", 0)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        who.ask()
        name = st.text_input("Name", held.name, key=f"rule_name_{key}", max_chars=80, width=260, placeholder="Segment A late")
        names = sorted(MEASURES, key=lambda one: MEASURES[one].title)
        at = names.index(held.measure) if held.measure in names else names.index("otif")
        measure = st.selectbox("Measure", names, at, format_func=lambda one: MEASURES[one].title, key=f"rule_measure_{key}", width=320)
    unit = MEASURES[measure].unit
    scale = SHARE if unit is Unit.SHARE else 1.0
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        condition = st.selectbox("When it is", CONDITIONS, CONDITIONS.index(held.condition), format_func=MEANT.get, key=f"rule_is_{key}", width=240)
        limit = clear_at = None
        if condition != OFF_TARGET:
            mark = "%" if unit is Unit.SHARE else str(unit)
            limit = st.number_input(
                f"Limit ({mark})", value=None if held.limit is None else held.limit * scale, key=f"rule_limit_{key}", width=150, placeholder="90"
            )
            if condition != MOVED:
                clear_at = st.number_input(
                    f"Over at ({mark})", value=None if held.clear_at is None else held.clear_at * scale, key=f"rule_over_{key}", width=150,
                    placeholder="the limit", help="It stays firing until the value is back here, so that a value that wavers is told once",
                )  # fmt: skip
        period = st.selectbox("In the last whole", list(PERIODS), list(PERIODS).index(held.period), key=f"rule_period_{key}", width=150)
        in_a_row = int(
            st.number_input(
                "Times in a row",
                1,
                20,
                held.in_a_row,
                key=f"rule_row_{key}",
                width=150,
                help="Periods in a row, however often data of one are published",
            )
        )
        min_n = int(st.number_input("Judged at least", 1, 100_000, held.min_n, key=f"rule_min_{key}", width=140))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        segments = page.facts()["options"].get("segment") or []
        chosen = dict(held.where).get("segment", ())
        segment = st.multiselect(
            "Segment", segments, [one for one in chosen if one in segments], key=f"rule_segment_{key}", placeholder="All", width=220
        )
        mails = ", ".join(one.removeprefix("mailto:") for one in held.channels if one.startswith("mailto:"))
        hooks = ", ".join(one.removeprefix("webhook:") for one in held.channels if one.startswith("webhook:"))
        to = st.text_input("Mail to", mails, key=f"rule_mail_{key}", placeholder="ops@example.org, …", width=280)
        hook = st.text_input(
            "Webhooks", hooks, key=f"rule_hook_{key}", placeholder="OPS", width=150, help="NAME of the variable BUYERVIEW_WEBHOOK_NAME"
        )
        quiet = st.toggle("Quiet hours", held.quiet_from is not None, key=f"rule_quiet_{key}")
        start = st.time_input("From", held.quiet_from or time(20), key=f"rule_from_{key}", width=110) if quiet else None
        end = st.time_input("To", held.quiet_to or time(7), key=f"rule_to_{key}", width=110) if quiet else None
        muted = st.date_input("Muted until", held.muted_until, key=f"rule_muted_{key}", width=150)
    others = tuple((one, values) for one, values in held.where if one != "segment")
    rule = replace(
        held, name=name.strip(), measure=measure, condition=condition, period=period, in_a_row=in_a_row, min_n=min_n, quiet_from=start, quiet_to=end,
        limit=None if limit is None else limit / scale, clear_at=None if clear_at is None else clear_at / scale,
        where=(("segment", tuple(segment)), *others) if segment else others,
        channels=(*_channels("mailto", to), *_channels("webhook", hook)),
        muted_until=datetime.combine(muted, time()) if isinstance(muted, date) else None,
    )  # fmt: skip
    wrong = refuse(rule, MEASURES[measure].direction)
    _tried(rule, [one for one in wrong if "name" not in one and "e-mail" not in one])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Save rule", type="primary", on_click=_save, args=(rule, wrong), key="rule_save")
        if held.rule_id:
            st.button("A new one instead", on_click=_open, args=(None,), key="rule_new")
    for one in wrong if name else []:
        st.caption(fmt.markdown(one))


def _channels(kind: str, typed: str) -> list[str]:
    return [f"{kind}:{one.strip()}" for one in typed.split(",") if one.strip()]


def _tried(rule: Rule, wrong: list[str]) -> None:
    """What the rule would have said over the past."""
    as_of = page.as_of()
    if wrong or as_of is None:
        return
    try:
        seen: list[Seen] = data.back_test(page.generation(), rule, as_of.date(), TRIED)
    except BuyerviewError as error:
        st.caption(fmt.markdown(str(error)))
        return
    events = [one for one in seen if one.event]
    known = [one for one in seen if not one.decided.startswith(NOT_PROVEN)]
    times = sum(one.event == "fired" for one in events)
    said = f"Over the last {TRIED} {rule.period}s it would have fired {fmt.count(times, 'time')}"
    look.html(f'<p class="bv"><b>{said}</b> <span class="bv-muted">({len(known)} of {TRIED} had enough to say anything).</span></p>')
    if events:
        rows = [
            [
                Cell(fmt.span(one.reading.start, one.reading.end)),
                Cell("would have fired" if one.event == "fired" else "over"),
                Cell(_number(rule.measure, one.reading.value)),
                Cell("" if one.reading.denominator is None else f"{fmt.number(one.reading.numerator)} of {fmt.number(one.reading.denominator)}"),
            ]
            for one in reversed(events)
        ]
        look.html(tables.table(("Period", "What", "Value", "Counted"), rows, caption="What the rule would have said", numeric=(2, 3)))


def _open(rule: Rule | None) -> None:
    st.session_state["_rule"] = rule


def _save(rule: Rule, wrong: list[str]) -> None:
    if wrong:
        st.session_state["_rule_told"] = " ".join(wrong)
        return
    try:
        with opened(locate()) as store:
            kept.save(store, who.me(), rule, at=keeping.now())
    except BuyerviewError as error:
        st.session_state["_rule_told"] = str(error)
        return
    st.session_state["_rule"] = None
    st.session_state["_rules_written"] = st.session_state.get("_rules_written", 0) + 1  # an empty form: a second click writes no second rule
    st.session_state["_rule_told"] = f"Saved “{rule.name}”. It is looked at with the next generation."


def _remove(rule: Rule) -> None:
    try:
        with opened(locate()) as store:
            kept.remove(store, who.me(), rule)
    except StoreUnusable as error:
        st.session_state["_rule_told"] = str(error)
        return
    st.session_state["_rule"] = None


# --- what happened ----------------------------------------------------------------------------------------------------------------------


def _log(log: list[dict[str, Any]]) -> str:
    rows = [
        [
            Cell(fmt.moment(one["at"]), small=f"generation {one['generation']}"),
            Cell(one["name"]),
            Cell("fired" if one["event"] == "fired" else "over"),
            Cell(_number(one["measure"], float(one["number"]) if one["number"] else None), small=fmt.span(one["starts_on"], one["ends_on"])),
        ]
        for one in log
    ]
    return tables.table(("When", "Rule", "What", "Value"), rows, caption="What fired and what is over", numeric=(3,))


def _waiting(messages: list[dict[str, Any]]) -> str:
    rows = [
        [
            Cell(one["subject"]),
            Cell(one["channel"].partition(":")[2]),
            Cell(fmt.moment(one["due_at"]) if one["attempts"] <= len(kept.PAUSES) else "given up", small=one["error"] or "not before its time"),
        ]
        for one in messages
    ]
    return tables.table(("Message", "For", "Next try"), rows, caption="Messages that have not left")
