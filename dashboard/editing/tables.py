"""The tables around an edit: what it would change, what is in force, who changed what. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from dashboard.components import cards, formatting, tables
from dashboard.components.status import Status, better_or_worse
from dashboard.components.tables import Cell
from metrics.edits.edits import Edit, Row, describe, key_columns, value_columns
from metrics.edits.preview import Change, Preview
from metrics.edits.validation import FIRST
from metrics.facts.assumptions import ASSUMPTIONS, EVERYONE
from metrics.measures.catalog import MEASURES
from metrics.measures.package_terms import DEFAULT_PACKAGES
from metrics.model.measure import Measure, Unit
from metrics.targets.targets import Target

TITLES = {
    "assumed_value": "number",
    "target_value": "target",
    "tolerance": "tolerance",
    "defect_share_max": "Product quality: defects at most (share)",
    "order_fill_min": "Order fill at least (share)",
    "lead_time_days_max": "Lead time at most (days)",
    "delivery_window": "Delivery time: within the",
    "payment_terms": "Payment terms",
    "support_level": "Customer service support",
}
"""What people may write, in their words."""


def scope(text: str) -> str:
    """Whom an edit is for, in words."""
    kind, _, name = text.partition(":")
    return "everyone" if text == EVERYONE else f"{kind} {name}"


def named(feed: str, key: Sequence[str]) -> tuple[str, str]:
    """What an edit is of, and for whom."""
    if feed == "service_packages":
        return f"Package {key[0]}", f"segment {key[0]}"
    titles = {name: one.title for name, one in (ASSUMPTIONS if feed == "assumptions" else MEASURES).items()}  # type: ignore[attr-defined]
    return titles.get(key[0], key[0]), scope(key[1])


def label(of: str, name: str) -> str:
    """How the field for one value of an assumption, a measure's target or a package is named."""
    if name == "assumed_value":
        return f"Number ({ASSUMPTIONS[of].unit})"
    if name == "target_value":
        return f"Target ({MEASURES[of].unit}{', 0 to 1' if MEASURES[of].unit is Unit.SHARE else ''})"
    return "Tolerance" if name == "tolerance" else TITLES[name]


def defaults(feed: str) -> list[Row]:
    """What the product takes where no feed says anything, as rows of the feed."""
    blank = {"valid_from": FIRST, "deleted": False}
    if feed == "assumptions":
        given = ASSUMPTIONS.items()
        return [
            {
                **blank,
                "assumption": name,
                "scope": EVERYONE,
                "assumed_value": one.default,
                "source": f"default: {one.source}",
            }
            for name, one in given
        ]
    if feed == "service_packages":
        return [
            {**vars(one), **blank, "service_segment": one.segment, "source": "default: the brief's Table 8-1"}
            for one in DEFAULT_PACKAGES
        ]
    return []


def step(edit: Edit, held: Mapping[str, str | None]) -> str:
    """What an edit says in place of what is in force, as markup."""
    if edit.deleted:
        said = "taken back, as if it had not been written"
    else:
        moved = [name for name in value_columns(edit.feed) if held.get(name) != edit.values.get(name)]
        said = "; ".join(
            f"{_label(name)}{held.get(name) or 'nothing'} → {edit.values.get(name) or 'nothing'}" for name in moved
        )
    return f'<p class="bv"><b>{formatting.html(said or "the same as now")}</b>, from {formatting.html(formatting.day(edit.valid_from))}</p>'


def extent(found: Preview, edit: Edit, start: date, end: date) -> str:
    """How much an edit would change in a period, in a sentence."""
    numbers, when = formatting.count(found.asked, "number"), formatting.date_range(start, end)
    said = f"{len(found.moved)} of the {numbers} that can depend on it would change in {when}."
    if not found.moved:
        later = edit.valid_from > start and edit.feed != "assumptions"
        hint = (
            f" It holds from {formatting.day(edit.valid_from)}: an earlier day, or another period, may show more."
            if later
            else ""
        )
        said = f"Nothing would change in {when}: none of the {numbers} that can depend on it moves.{hint}"
    return said + (
        f" With {formatting.count(found.others, 'edit')} saved before and not yet in the numbers."
        if found.others
        else ""
    )


def _label(name: str) -> str:
    return "" if name in ("assumed_value", "target_value") else f"{TITLES[name]} "


def preview(found: Preview) -> str:
    """Now and then of every number that would be another."""
    rows = [_moved(one) for one in found.moved]
    return tables.table(
        ("Number", "Now", "Then", "Difference"), rows, caption="What the edit would change", numeric=(1, 2, 3)
    )


def _moved(one: Change) -> list[Cell]:
    measure = MEASURES[one.measure]
    of = ", ".join(f"{formatting.in_words(by)} {value}" for by, value in one.of.items()) or "all in view"
    now, then = (
        _side(answer, measure, target) for answer, target in ((one.now, one.target_now), (one.then, one.target_then))
    )
    before, after = (answer.value if answer else None for answer in (one.now, one.then))
    change, word = formatting.DASH, ""
    if before is not None and after is not None:
        size = float(after) - float(before)
        change = (
            "the same"
            if size == 0
            else f"{'+' if size > 0 else formatting.MINUS}{formatting.difference(size, measure.unit)}"
        )
        word = better_or_worse(size, measure.direction) or ""
    return [Cell(measure.title, small=of), now, then, Cell(change, small=word)]


def _side(answer: Any, measure: Measure, target: Target | None) -> Cell:
    shown = cards.value(answer, measure) if answer else formatting.DASH
    stands = cards.status_of(answer, measure, target)
    said = "" if target is None else f"target {formatting.number(target.value, measure.unit)}"
    if target is not None and target.tolerance:
        said += f" ± {formatting.difference(target.tolerance, measure.unit)}"
    mark = f" {cards.state(stands)}" if stands not in (Status.NO_TARGET, Status.NO_DATA) else ""
    why = "none" if answer is None else (answer.no_data or "") if answer.value is None else ""
    return Cell(markup=f"{formatting.html(shown)}{mark}", small=said or why)


def in_force(feed: str, rows: Iterable[Row], on: date) -> str:
    """What a feed says now, by what it is of; of several from different days the last to have begun."""
    latest: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row["valid_from"]):
        if not row["deleted"] and row["valid_from"] <= on:
            latest[tuple(row[name] for name in key_columns(feed))] = row
    shown = []
    for key, row in sorted(latest.items()):
        what, whom = named(feed, key)
        says = "; ".join(_says(name, row[name]) for name in value_columns(feed) if row[name] is not None)
        since = formatting.day(row["valid_from"]) if row["valid_from"].year > 1900 else "always"
        shown.append([Cell(what, small=whom), says, since, row["source"]])
    return tables.table(("What", "Says", "Since", "From"), shown, caption="What is in force")


def _says(name: str, value: Any) -> str:
    return f"{_label(name)}{describe(value) or formatting.DASH}"


def history(feed: str, changes: Iterable[Mapping[str, Any]]) -> str:
    """Who changed what from what to what and when, newest first."""
    rows = []
    for one in changes:
        what, whom = named(feed, [one["after"][name] for name in key_columns(feed)])
        before, after = one["before"] or one["after"].get("was") or {}, one["after"]
        moved = [name for name in value_columns(feed) if before.get(name) != after.get(name)]
        told = [f"{_label(name)}{before.get(name) or 'default'} → {after.get(name) or 'as before'}" for name in moved]
        rows.append(
            [
                Cell(formatting.moment(one["at"]), small=f"no. {one['entry']}"),
                one["who"],
                Cell(what, small=f"{whom}, from {formatting.day(date.fromisoformat(after['valid_from']))}"),
                "; ".join(told) or "the same",
                after.get("note") or formatting.DASH,
            ]
        )
    return tables.table(("When", "Who", "What", "From → to", "Why"), rows, caption="Who changed what")
