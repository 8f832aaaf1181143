"""Bring your data: the trial run. Verdicts, and the loaded and rejected records."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.bring_data.sources import CONNECTION, Source
from dashboard.components import formatting, tables, theme
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import Cell
from metrics.measures.catalog import MEASURES

RULES_SHOWN = 12

Json = Mapping[str, Any]  # Any: values of JSON


def verdicts(source: Source) -> None:
    """Draw the verdicts of the trial run."""
    trial: Json = source.trial
    st.header("What your records give", anchor=False)
    theme.show_html(_headline(trial))
    theme.show_html(_verdicts(trial["verdicts"]))
    st.caption("All orders of these records. The scorecard shows the last 13 weeks first.")


def records(source: Source) -> None:
    """Draw the loaded and rejected records of the trial run, with the broken rules and the warnings."""
    report: Json = source.trial["report"]  # type: ignore[assignment]
    with theme.card("loaded"):
        st.header("Loaded and rejected records", anchor=False)
        theme.show_html(_files(report["files"]))
        if report["rules_broken"]:
            theme.show_html(_rules(report["rules_broken"][:RULES_SHOWN]))
            more = len(report["rules_broken"]) - RULES_SHOWN
            if more > 0:
                st.caption(f"After publishing, the page Data quality lists {formatting.count(more, 'more rule')}.")
        for warning in report["warnings"]:
            st.caption(formatting.markdown(f"{formatting.in_words(warning['feed'])}: {warning['message']}"))


def _headline(trial: Json) -> str:
    orders = max((int(one["denominator"] or 0) for one in trial["verdicts"]), default=0)
    came, kept_out = (sum(file[name] for file in trial["report"]["files"]) for name in ("rows_in", "rows_quarantined"))
    judged = formatting.agreeing(orders, "order is", "orders are")
    text = f"<strong>{formatting.integer(orders)}</strong> {judged} judged. "
    text += (
        f"<strong>{formatting.integer(kept_out)}</strong> of {formatting.integer(came)} records "
        f"{formatting.agreeing(kept_out, 'is', 'are')} rejected."
        if kept_out
        else f"All {formatting.integer(came)} records load."
    )
    return f'<div class="bv bv-headline"><span>{text}</span></div>'


def _verdicts(verdicts: Sequence[Json]) -> str:
    rows = []
    for one in verdicts:
        measure = MEASURES[one["measure"]]
        shown = formatting.html(formatting.number(one["value"], measure.unit))
        rows.append(
            [
                Cell(measure.title),
                Cell(markup=f'<span data-trial="{measure.name}">{shown}</span>'),
                Cell(_count(one["numerator"])),
                Cell(_count(one["denominator"])),
                Cell(in_plain_words(one["no_data"] or "")),
            ]
        )
    heads = ("Verdict", "Share", "Orders that pass", "Orders judged", "Why there is no number")
    return tables.table(heads, rows, caption="Verdicts of the trial run", numeric=(1, 2, 3))


def _count(value: float | None) -> str:
    return formatting.DASH if value is None else formatting.integer(value)


def _files(files: Sequence[Json]) -> str:
    names = ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")
    rows = [
        [
            Cell(formatting.in_words(file["feed"])),
            Cell(_origin(file["name"])),
            *(Cell(formatting.integer(file[one])) for one in names),
        ]
        for file in files
    ]
    heads = ("Feed", "From", "Rows in", "Loaded", "Quarantined", "Superseded")
    return tables.table(heads, rows, caption="Rows of each feed", numeric=(2, 3, 4, 5))


def _origin(name: str) -> str:
    """Return the file or table of an object of a run, without what only the log needs."""
    return name.removeprefix("select over ").removeprefix(CONNECTION)


def _rules(rules: Sequence[Json]) -> str:
    rows = [
        [
            Cell(formatting.in_words(rule["feed"]), small=formatting.in_words(rule["rule"])),
            Cell(formatting.integer(rule["rows"])),
            Cell(in_plain_words(rule["message"]), small=rule["example"]),
        ]
        for rule in rules
    ]
    return tables.table(("Rule", "Rows", "Reason and example"), rows, caption="Broken rules", numeric=(1,))
