"""What changed: the change of a number between two periods, and changes between two data versions."""

import streamlit as st

from dashboard.components import cards, formatting, theme
from dashboard.frame import page
from dashboard.sections import what_changed, what_changed_versions

filters = page.current_filters()
BETWEEN = {"periods": "Two periods", "publishes": "Two data versions"}
with theme.card("change"), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    between = page.select("Between", tuple(BETWEEN), BETWEEN, key="between", width=230)
    if between == "publishes":
        then = what_changed_versions.choose()
    else:
        measure, by, before = what_changed.choose(filters)
if between == "publishes":
    page.subtitle(f"{formatting.date_range(filters.start, filters.end)}, as known then and now · {filters.label}")
    what_changed_versions.changed_numbers(then, filters)
elif before is None:
    page.subtitle(f"{formatting.date_range(filters.start, filters.end)} · {filters.label}")
    with theme.card("none"):
        theme.show_html(cards.empty("No days to compare with", "Choose the first and the last day."))
else:
    after = (filters.start, filters.period.elapsed)
    page.subtitle(f"{formatting.date_range(*after)} against {formatting.date_range(*before)} · {filters.label}")
    found = what_changed.explanation(measure, by, before, filters)
    with theme.card("why"):
        theme.show_html(what_changed.sentence(found, measure, before, after))
        what_changed.steps_chart(found, measure)
    if found.parts:
        with theme.card("parts"):
            theme.show_html(what_changed.parts(found, measure, by, before, after))
            st.caption(what_changed.note(found))
