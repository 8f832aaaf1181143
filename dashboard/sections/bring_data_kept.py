"""Bring your data: the sources that are kept, and the last run of each."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard.bring_data import sources
from dashboard.bring_data.sources import Source
from dashboard.components import formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.frame import links


def sources_list() -> None:
    """Draw the kept sources, each with its last run."""
    listed = sources.kept()
    if not listed:
        return
    with theme.card("kept"):
        st.header("Your sources", anchor=False)
        heads = ("Source", "Files", "Last run", "Rows loaded", "Quarantined")
        theme.show_html(tables.table(heads, [_row(one) for one in listed], caption="Kept sources", numeric=(3, 4)))


def _row(source: Source) -> list[Cell]:
    run: Mapping[str, Any] = source.run  # Any: values of JSON
    url = formatting.html(links.page_url("bring-data", {"source": source.name}))
    name = f'<a href="{url}" target="_self">{formatting.html(source.name)}</a>'
    files = source.files
    origin = f"Connection {source.connection}" if source.connection else ", ".join(file.name for file in files[:3])
    more = f"and {len(files) - 3} more" if len(files) > 3 else ""
    if not run:
        dash = Cell(formatting.DASH)
        return [Cell(markup=name), Cell(origin, small=more), Cell("Not published"), dash, dash]
    loaded, kept_out = (sum(file[one] for file in run["files"]) for one in ("rows_loaded", "rows_quarantined"))
    ended = datetime.fromtimestamp(float(run["ended"]), UTC).replace(tzinfo=None)
    version = f"data version {run['generation']}" if run["generation"] else str(run["outcome"])
    return [
        Cell(markup=name),
        Cell(origin, small=more),
        Cell(formatting.moment(ended), small=version),
        Cell(formatting.integer(loaded)),
        Cell(formatting.integer(kept_out)),
    ]
