"""From a tile to a dimension, to orders, to one order: every number links to the rows that prove it."""

import csv
import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard import queries
from dashboard.components import formatting
from dashboard.frame import links, menu, quality_marks
from dashboard.measure_page.view import measures_of
from dashboard.sections import drill_down, scorecard
from metrics import warehouse
from metrics.lists.drill_down_parts import drillable_parts
from metrics.lists.quality_marks import Failed, Mark
from metrics.measures.catalog import MEASURES, has_dimension
from metrics.model.dimensions import DIMENSIONS, OWN_DIMENSIONS
from metrics.model.question import Question
from metrics.queries import answer as query
from tests.dashboard.conftest import Open, markup
from tests.dashboard.test_pages import WEEKS, asked

PAGES = (None, "buyers_view", "cycle_time", "profitability", "recovery")
LINK = re.compile(r'<a href="([^"]+)" target="_self" data-measure="(\w+)"')


def links_of(html: str) -> dict[str, dict[str, list[str]]]:
    """Return what the links of a page's numbers ask for, by measure."""
    found = {}
    for href, measure in LINK.findall(html):
        parted = urlsplit(href.replace("&amp;", "&"))
        assert parted.path == links.DRILL_DOWN
        found[measure] = parse_qs(parted.query)
    return found


@pytest.mark.every_run("buyers_view", "recovery")
@pytest.mark.parametrize("page", PAGES)
def test_every_number_on_a_page_links_to_its_drill_down(page: str | None, page_of_small: Open) -> None:
    found = links_of(markup(page_of_small(page, segment="B")))
    shown = scorecard.TILES if page is None else measures_of(menu.entry_of_file(page))
    assert set(shown) <= set(found)
    assert all(asks["measure"] == [name] and asks["segment"] == ["B"] for name, asks in found.items())


@pytest.mark.parametrize("part", drillable_parts(MEASURES["otif"]))
def test_drill_down_list_matches_the_measure(part: str, page_of_small: Open) -> None:
    at = page_of_small("drill_down", measure="otif", part=part)
    assert not at.exception
    html = markup(at)
    answer = asked("otif")
    size = {
        "counted": answer.numerator,
        "out_of": answer.denominator,
        "rest": (answer.denominator or 0) - (answer.numerator or 0),
        "unknown": answer.unknown,
    }[part]
    proof_html = html.split('class="bv bv-proof"')[1].split("</p>")[0]
    assert 'data-proven="true"' in proof_html
    assert (
        f"<b>{formatting.count(int(size or 0), 'order')}</b> {drill_down.PASS_WORDS[part]}, "
        f"matches the figure {formatting.integer(int(size or 0))}" in proof_html
    )
    assert html.split('data-measure="otif">')[1].split("<")[0] == formatting.number(answer.value, MEASURES["otif"].unit)


def test_denominator_in_a_table_matches_its_drill_down_list(page_of_small: Open) -> None:
    html, answer = markup(page_of_small("buyers_view")), asked("on_time")
    cell = re.search(
        r'<td[^>]*><a href="[^"]*measure=on_time&amp;part=out_of[^"]*"[^>]*>([^<]*)</a>(?:<span '
        r'class="bv-small">([^<]*)</span>)?',
        html,
    )
    assert cell is not None
    assert answer.unknown, "the case has some that are not known"
    assert cell.groups() == (formatting.number(answer.denominator), f"{formatting.number(answer.unknown)} unknown")


def test_dimension_values_filter_the_list_and_appear_in_the_breadcrumbs(page_of_small: Open) -> None:
    html = markup(page_of_small("drill_down", measure="on_time", part="out_of", at=["carrier:Blitz", "segment:A"]))
    answer = asked("on_time", where=(("carrier", ("Blitz",)), ("segment", ("A",))))
    assert f"<b>{formatting.count(int(answer.denominator or 0), 'order')}</b>" in html
    trail = html.split("bv-trail")[1].split("</nav>")[0]
    assert "Buyer&#x27;s view" in trail
    assert "Carrier Blitz" in trail
    assert "Segment A" in trail


def test_listed_order_links_to_its_order_story(page_of_small: Open) -> None:
    html = markup(page_of_small("drill_down", measure="complete", part="rest"))
    assert f"{links.STORY}?order=HAND-SHORT" in html


def test_derived_measure_links_to_its_input_measures(page_of_small: Open) -> None:
    html = markup(page_of_small("drill_down", measure="dependability_gap"))
    assert "measure=cycle_p50" in html
    assert "measure=cycle_p95" in html
    assert 'data-proven="' not in html.split("<style>")[0]


@pytest.mark.every_run("nonsense0", "nonsense3")
@pytest.mark.parametrize(
    "nonsense",
    [
        {"measure": "x"},
        {"at": "colour:red"},
        {"part": "some"},
        {"days": "2026-99-01..x"},
        {"at": "segment:nobody"},
        {"measure": "zone"},
    ],
)
def test_invalid_url_parameters_cause_no_exception(nonsense: dict[str, str], page_of_small: Open) -> None:
    assert not page_of_small("drill_down", **nonsense).exception


def test_breakdown_is_left_out_if_every_dimension_has_a_value(page_of_small: Open) -> None:
    taken = [f"{name}:x" for name in (*DIMENSIONS, *OWN_DIMENSIONS) if has_dimension(MEASURES["otif"], name)]
    at = page_of_small("drill_down", measure="otif", at=taken)
    assert not at.exception
    assert "Breakdown by" not in [box.label for box in at.selectbox]
    assert "Breakdown by" in [box.label for box in page_of_small("drill_down", measure="otif", at=taken[1:]).selectbox]


def test_numerator_of_a_mean_is_named_a_sum(page_of_small: Open) -> None:
    assert "Sum of days <b>" in markup(page_of_small("drill_down", measure="cycle_days"))


def test_list_without_a_part_in_the_address_opens_with_the_failed_orders(page_of_small: Open) -> None:
    answer = asked("otif")
    failed = formatting.integer(int((answer.denominator or 0) - (answer.numerator or 0)))
    assert f"failed, matches the figure {failed}" in markup(page_of_small("drill_down", measure="otif"))
    imperfect = markup(page_of_small("drill_down", measure="perfect_order"))
    assert "Late" in re.findall(r"<td[^>]*>([^<]+)</td>", imperfect), "each row shows why the order failed"


def test_subtitle_names_the_dimension_values_of_the_number(page_of_small: Open) -> None:
    assert page_of_small("drill_down", measure="otif").caption[0].value.endswith("· all orders")
    at = page_of_small("drill_down", measure="otif", at="carrier:Blitz", segment="A")
    assert at.caption[0].value.endswith("· segment A · Carrier Blitz")


def test_days_parameter_limits_the_list_to_those_days(page_of_small: Open) -> None:
    html = markup(page_of_small("drill_down", measure="on_time", part="out_of", days="2026-06-01..2026-06-07"))
    with warehouse.reading(warehouse.locate()) as connection:
        days = links.parse_days("2026-06-01..2026-06-07")
        assert days is not None
        (one,) = query.answer(connection, Question(("on_time",), start=days[0], end=days[1]))
    assert f"matches the figure {formatting.integer(int(one.denominator or 0))}" in html


def test_drill_down_file_has_every_row_and_escapes_formulas(page_of_small: Open) -> None:
    page_of_small("drill_down")
    one = drill_down.DrillDownRequest(MEASURES["complete"], "out_of", (), None, WEEKS.start, WEEKS.end, ())
    # published
    columns, *rows = csv.reader(io.StringIO(drill_down.file_of(queries.current().number, one).decode()))  # type: ignore[union-attr]
    assert len(rows) == asked("complete").denominator
    assert columns[:2] == ["order_id", "due_day"]
    assert re.fullmatch(r"2026-\d\d-\d\d", rows[0][1])
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "@")]


def test_withheld_measure_is_shown_without_a_target_status(
    page_of_small: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_out = Mark((Failed("shipments", "received_at_fits_type", "received_at", 300, 0.2),))
    monkeypatch.setattr(quality_marks, "read_marks", lambda _: {"on_time": kept_out})
    html = markup(page_of_small())
    tile = html.split('data-measure="on_time"')[1].split("</li>")[0]
    assert tile.startswith(f">{formatting.number(asked('on_time').value, MEASURES['on_time'].unit)}<")
    assert "Withheld" in tile
    assert "300 of shipments (received at fits type)" in tile
    assert "bv-state" not in tile
    assert "bv-state" in html.split('data-measure="otif"')[1].split("</li>")[0]
    assert "held" not in html.split('data-measure="otif"')[1].split("</li>")[0]


def test_few_rejected_records_are_only_in_the_tooltip_of_a_number(
    page_of_small: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = {
        name: Mark((Failed("shipments", "received_at_fits_type", "received_at", 3, share),))
        for name, share in (("on_time", 0.009), ("otif", 0.011))
    }
    monkeypatch.setattr(quality_marks, "read_marks", lambda _: marks)
    few, many = (markup(page_of_small()).split(f'data-measure="{name}"') for name in ("on_time", "otif"))
    assert "⚑" not in few[1].split("</li>")[0]
    assert "3 records rejected by checks: 3 of shipments (received at fits type)" in few[0].split("<li")[-1]
    assert "⚑</i> 3" in many[1].split("</li>")[0]
    assert "3 records rejected by checks" in markup(page_of_small("drill_down", measure="on_time"))


def test_page_shows_one_message_if_most_measures_are_withheld(
    page_of_small: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_out = Mark((Failed("shipments", "received_at_fits_type", "received_at", 300, 0.2),))
    monkeypatch.setattr(quality_marks, "read_marks", lambda _: dict.fromkeys(scorecard.TILES[1:], kept_out))
    html = markup(page_of_small())
    assert html.count(f"{len(scorecard.TILES) - 1} of {len(scorecard.TILES)} measures are withheld") == 1
    assert "of the records of shipments" in html
    tile = html.split('data-measure="otif"')[1].split("</li>")[0]
    assert "bv-mark-small" in tile
    assert "▲</i> Withheld" not in tile
    assert "Withheld from its target: too many records are rejected" in tile
