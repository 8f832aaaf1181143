"""Tables of an edit form: preview, rows in effect, history. Values in, markup out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from dashboard.components import cards, formatting, tables
from dashboard.components.status import Status, better_or_worse
from dashboard.components.tables import Cell
from dashboard.editing import units
from dashboard.editing.units import Kind
from metrics.edits.edits import Edit, describe, key_columns, value_columns
from metrics.edits.preview import Change, Preview
from metrics.edits.validation import FIRST
from metrics.facts.assumptions import ASSUMPTIONS, EVERYONE, Assumption
from metrics.measures.catalog import MEASURES
from metrics.measures.package_terms import DEFAULT_PACKAGES
from metrics.model.measure import Measure
from metrics.model.question import Answer
from metrics.schema import Row
from metrics.targets.targets import Target

TITLES = {
    "assumed_value": "number",
    "target_value": "target",
    "tolerance": "tolerance",
    "defect_share_max": "Product quality: defects at most",
    "order_fill_min": "Order fill at least",
    "lead_time_days_max": "Lead time at most (days)",
    "delivery_window": "Delivery time: within the",
    "payment_terms": "Payment terms",
    "support_level": "Customer service support",
}
"""Titles of the editable columns."""


def scope(text: str) -> str:
    """Return the scope of an edit in words."""
    kind, _, name = text.partition(":")
    return "everyone" if text == EVERYONE else f"{kind} {name}"


def named(feed: str, key: Sequence[str]) -> tuple[str, str]:
    """Return the subject and the scope of an edit in words."""
    if feed == "service_packages":
        return f"Package {key[0]}", f"segment {key[0]}"
    subject: Assumption | Measure | None = ASSUMPTIONS.get(key[0]) if feed == "assumptions" else MEASURES.get(key[0])
    return subject.title if subject else key[0], scope(key[1])


def label(feed: str, key: Sequence[str], name: str) -> str:
    """Return the label of the field for one column of an assumption, a target or a package."""
    kind = units.kind(feed, key, name)
    if name == "assumed_value":
        unit = ASSUMPTIONS[key[0]].unit
        return {Kind.YES_NO: "Value", Kind.PERCENT: f"Number ({unit.replace('share', '%', 1)})"}.get(
            kind, f"Number ({unit})"
        )
    if name == "target_value":
        return f"Target ({'%' if kind is Kind.PERCENT else MEASURES[key[0]].unit})"
    if name == "tolerance":
        return "Tolerance (percentage points)" if kind is Kind.PERCENT else "Tolerance"
    return f"{TITLES[name]} (%)" if kind is Kind.PERCENT else TITLES[name]


def defaults(feed: str) -> list[Row]:
    """Return Buyerview's default values as rows of the feed."""
    blank = {"valid_from": FIRST, "deleted": False}
    if feed == "assumptions":
        given = ASSUMPTIONS.items()
        return [
            {
                **blank,
                "assumption": name,
                "scope": EVERYONE,
                "assumed_value": assumption.default,
                "source": f"default: {assumption.source}",
            }
            for name, assumption in given
        ]
    if feed == "service_packages":
        return [
            {**vars(package), **blank, "service_segment": package.segment, "source": "Buyerview default"}
            for package in DEFAULT_PACKAGES
        ]
    return []


def step(edit: Edit, current: Mapping[str, str | None]) -> str:
    """Return the old and the new values of an edit as markup."""
    if edit.deleted:
        text = "Edit removed"
    else:
        changed = [name for name in value_columns(edit.feed) if current.get(name) != edit.values.get(name)]
        text = "; ".join(
            f"{_label(name)}{_shown(edit.feed, edit.key, name, current.get(name)) or 'none'} → "
            f"{_shown(edit.feed, edit.key, name, edit.values.get(name)) or 'none'}"
            for name in changed
        )
    day = formatting.html(formatting.day(edit.valid_from))
    return f'<p class="bv"><b>{formatting.html(text or "No change")}</b>, from {day}</p>'


def extent(effect: Preview, edit: Edit, start: date, end: date) -> str:
    """Return how many numbers an edit changes in a period, in a sentence."""
    numbers, when = formatting.count(effect.asked, "dependent number"), formatting.date_range(start, end)
    text = f"The edit changes {len(effect.moved)} of {numbers} in {when}."
    if not effect.moved:
        text = f"The edit changes none of {numbers} in {when}."
        if edit.valid_from > start and edit.feed != "assumptions":
            text += f" It is valid from {formatting.day(edit.valid_from)}. Choose an earlier day or another period."
    if effect.others:
        text += f" The preview includes {formatting.count(effect.others, 'pending edit')}."
    return text


def _label(name: str) -> str:
    return "" if name in ("assumed_value", "target_value") else f"{TITLES[name]} "


def preview(effect: Preview) -> str:
    """Return the old and the new value of every number that the edit changes."""
    rows = [_changed(change) for change in effect.moved]
    return tables.table(("Number", "Before", "After", "Change"), rows, caption="Effect of the edit", numeric=(1, 2, 3))


def _changed(change: Change) -> list[Cell]:
    measure = MEASURES[change.measure]
    of = ", ".join(f"{formatting.in_words(by)} {value}" for by, value in change.of.items()) or "all in view"
    before, after = change.now.value if change.now else None, change.then.value if change.then else None
    text, word = formatting.DASH, ""
    if before is not None and after is not None:
        size = float(after) - float(before)
        sign = "+" if size > 0 else formatting.MINUS
        text = "No change" if size == 0 else f"{sign}{formatting.difference(size, measure.unit)}"
        word = better_or_worse(size, measure.direction) or ""
    return [
        Cell(measure.title, small=of),
        _side(change.now, measure, change.target_now),
        _side(change.then, measure, change.target_then),
        Cell(text, small=word),
    ]


def _side(answer: Answer | None, measure: Measure, target: Target | None) -> Cell:
    shown = cards.value(answer, measure) if answer else formatting.DASH
    status = cards.status_of(answer, measure, target)
    note = "" if target is None else f"target {formatting.number(target.value, measure.unit)}"
    if target is not None and target.tolerance:
        note += f" ± {formatting.difference(target.tolerance, measure.unit)}"
    mark = f" {cards.state(status)}" if status not in (Status.NO_TARGET, Status.NO_DATA) else ""
    why = "none" if answer is None else cards.why_missing(answer) if answer.value is None else ""
    return Cell(markup=f"{formatting.html(shown)}{mark}", small=note or why)


def in_force(feed: str, rows: Iterable[Row], on: date) -> str:
    """Return the rows of a feed in effect on a day: for each key, the one with the latest start."""
    latest: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row["valid_from"]):
        if not row["deleted"] and row["valid_from"] <= on:
            latest[tuple(row[name] for name in key_columns(feed))] = row
    shown = []
    for key, row in sorted(latest.items()):
        what, whom = named(feed, key)
        values = "; ".join(
            f"{_label(name)}{_shown(feed, key, name, describe(row[name])) or formatting.DASH}"
            for name in value_columns(feed)
            if row[name] is not None
        )
        since = formatting.day(row["valid_from"]) if row["valid_from"].year > 1900 else "always"
        shown.append([Cell(what, small=whom), values, since, row["source"]])
    return tables.table(("Subject", "Value", "Since", "Source"), shown, caption="Values in effect")


def _shown(feed: str, key: Sequence[str], name: str, value: str | None) -> str | None:
    """Return a stored value of a column as text, with the reader's words for codes."""
    text = units.shown(feed, key, name, value)
    return formatting.in_words(text).lower() if text and name in ("delivery_window", "support_level") else text


def history(feed: str, changes: Iterable[Row]) -> str:
    """Return the history of edits: time, user, subject, old and new values, reason."""
    rows = []
    for change in changes:
        key = [change["after"][name] for name in key_columns(feed)]
        what, whom = named(feed, key)
        before, after = change["before"] or change["after"].get("was") or {}, change["after"]
        changed = [name for name in value_columns(feed) if before.get(name) != after.get(name)]
        steps = [
            f"{_label(name)}{_shown(feed, key, name, before.get(name)) or 'default'} → "
            f"{_shown(feed, key, name, after.get(name)) or 'removed'}"
            for name in changed
        ]
        rows.append(
            [
                Cell(formatting.moment(change["at"]), small=f"no. {change['entry']}"),
                change["who"],
                Cell(what, small=f"{whom}, from {formatting.day(date.fromisoformat(after['valid_from']))}"),
                "; ".join(steps) or "No change",
                after.get("note") or formatting.DASH,
            ]
        )
    return tables.table(("Time", "User", "Subject", "Change", "Reason"), rows, caption="Change history")
