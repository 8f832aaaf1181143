"""Explore and export: charts by the shape of the question, every row in the table, all choices in the address, pictures
with captions.
"""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from dashboard.components import charts
from dashboard.frame import chart_download, quality_marks
from dashboard.frame.filters import Filters
from dashboard.frame.period import choose
from dashboard.sections import export, export_charts, export_table
from metrics.lists.quality_marks import Failed, Mark
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question
from tests.dashboard.conftest import Open, markup
from tests.dashboard.small_warehouse import EVIL
from tests.dashboard.test_pages import asked

VIEW = Filters(
    choose("Dates", as_of=date(2026, 6, 30), first=date(2026, 1, 1), days=(date(2026, 4, 1), date(2026, 6, 30))), ()
)


def share(
    value: float | None, *, period: date | None = None, measure: str = "otif", of: int = 10, **dimensions: str
) -> Answer:
    return Answer(
        dict(dimensions), period, measure, value, numerator=None if value is None else round(value * of), denominator=of
    )


def drawn(question: Question, answers: list[Answer], **more: Any) -> export_charts.Drawn:
    return export_charts.draw(question, answers, VIEW, **{"measure": "otif", "is_dark": False, **more})


def test_chart_has_a_line_per_value_over_time_and_bars_without_a_grain() -> None:
    months = [date(2026, at, 1) for at in (4, 5, 6)]
    answers = [share(0.9, period=month, segment=segment) for segment in "AB" for month in months]
    (panel,) = drawn(Question(("otif",), by=("segment",), grain="month"), answers).panels
    assert {(row["series"], row["period"]) for row in panel.spec["datasets"]["rows"]} == {
        (s, m.isoformat()) for s in "AB" for m in months
    }
    (panel,) = drawn(
        Question(("otif",), by=("segment",)), [share(0.9, segment="A", of=5), share(0.8, segment="B", of=50)]
    ).panels
    assert [row["label"] for row in panel.spec["datasets"]["rows"]] == ["B", "A"]
    assert panel.spec["datasets"]["rows"][0]["of"] == "40 of 50"
    ranged = replace(share(None, segment="C"), worst=0.4, best=0.9, no_data="inconclusive: 50% known")
    for grain in (None, "month"):
        answers = [replace(ranged, period=months[0] if grain else None)]
        (panel,) = drawn(Question(("otif",), by=("segment",), grain=grain), answers).panels
        (row,) = panel.spec["datasets"]["rows"]
        assert (row["value"], row["low"], row["high"], row["value_text"]) == (None, 0.4, 0.9, "40.0–90.0%")
        assert b"40.0" in chart_download.render_image(panel.spec | {"width": 300}, "svg") or grain


def test_chart_of_two_dimensions_has_a_panel_per_value_of_the_second() -> None:
    answers = [share(0.9, segment=segment, region=region) for segment in "AB" for region in ("North", "South", "West")]
    found = drawn(Question(("otif", "on_time"), by=("segment", "region")), answers)
    assert [panel.title for panel in found.panels] == ["North", "South", "West"]
    together = export_charts.together(found.panels)
    assert [part["title"]["text"] for part in together["concat"]] == ["North", "South", "West"]
    assert {part["data"]["name"] for part in together["concat"]} == set(together["datasets"])


def test_chart_names_the_number_of_omitted_values() -> None:
    answers = [share(0.9, customer=f"C{at:02d}", of=at + 1) for at in range(40)]
    found = drawn(Question(("otif",), by=("customer",)), answers)
    assert len(found.panels[0].spec["datasets"]["rows"]) == export_charts.BARS_MOST
    assert found.panels[0].spec["datasets"]["rows"][0]["label"] == "C39"
    assert "15 of 40 customer values" in found.left_out


def test_table_pages_contain_every_row() -> None:
    question = Question(("otif",), by=("customer",))
    answers = [share(0.9, customer=f"C{at:03d}") for at in range(120)]
    found = export_table.keys(question, answers)
    pages = "".join(export_table.table(question, found, VIEW, [], page=at) for at in (1, 2, 3))
    assert all(f"C{at:03d}</th>" in pages for at in range(120))


def test_markup_in_names_is_escaped_in_tables_and_plain_text_in_charts() -> None:
    question = Question(("otif",), by=("customer",))
    answers = [share(0.9, customer=EVIL), share(None, customer="empty", of=0)]
    shown = export_table.table(question, export_table.keys(question, answers), VIEW, [], page=1)
    assert "<img" not in shown
    (panel,) = drawn(question, answers).panels
    assert panel.spec["datasets"]["rows"][0]["label"] == EVIL


def test_every_export_choice_is_read_from_and_written_to_the_url(page_of_small: Open) -> None:
    at = page_of_small("export", m=["otif", "cycle_days"], by=["segment", "region"], per="month", show="table")
    assert not at.exception
    assert at.multiselect(key="explore_m").value == ["otif", "cycle_days"]
    assert at.multiselect(key="explore_by").value == ["segment", "region"]
    shown = markup(at)
    one = asked("otif", by=("region", "segment"), grain="month")
    assert f"{one.numerator} of {one.denominator}" in shown
    at.multiselect(key="explore_by").set_value(["carrier"]).run()
    assert at.query_params["by"] == "carrier"
    assert not at.exception


SHAPES: list[dict[str, Any]] = [
    {"by": ["segment"], "per": "week"},
    {"by": ["segment", "carrier"]},
    {"by": ["customer", "carrier", "region"]},
    {},
]


@pytest.mark.parametrize("address", SHAPES)
def test_export_page_shows_every_kind_of_query(address: dict[str, Any], page_of_small: Open) -> None:
    at = page_of_small("export", **address)
    assert not at.exception
    assert "On time" in markup(at)


def test_every_measure_has_a_question_on_the_export_page() -> None:
    assert set(export.QUESTIONS) == set(MEASURES)


def test_chart_image_has_a_title_and_embeds_its_font() -> None:
    spec = charts.trend([], MEASURES["otif"], target=None, grain="week", is_dark=False)
    framed = chart_download.with_title(spec, title="On time in full", under=f"segment {EVIL}", is_dark=False)
    assert framed["width"] != "container"
    assert json.dumps(spec) == json.dumps(charts.trend([], MEASURES["otif"], target=None, grain="week", is_dark=False))
    svg = chart_download.render_image(framed, "svg").decode()
    assert "On time in full" in svg
    assert "<img" not in svg
    assert "data:font/woff2;base64," in svg
    assert chart_download.render_image(framed, "png").startswith(b"\x89PNG")


def test_chart_image_rejects_external_data() -> None:
    with pytest.raises(ValueError, match=r"not allowed|External data"):
        chart_download.render_image(
            {"data": {"url": "http://127.0.0.1:9/x.csv"}, "mark": "point", "encoding": {"x": {"field": "a"}}}, "svg"
        )


def test_export_page_shows_no_target_status_for_a_withheld_measure(
    page_of_small: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged() -> int:
        at = page_of_small("export", m=["on_time", "otif"], show="table")
        return markup(at).split('aria-label="Answers"', 1)[1].split("</table>")[0].count('class="bv-state')

    assert judged() == 2
    mark = Mark((Failed("shipments", "received_at_fits_type", "received_at", 300, 0.2),))
    monkeypatch.setattr(quality_marks, "read_marks", lambda _: {"on_time": mark})
    assert judged() == 1
