"""A view of several segments is judged against their targets, weighted by judged orders (R31). Every page and command
agrees.
"""

import json
import re
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import date

import pytest

import buyerview
from dashboard import queries
from dashboard.components import formatting
from dashboard.components.sentences import as_text
from dashboard.frame import menu
from dashboard.frame.filters import Filters
from dashboard.frame.period import choose
from dashboard.measure_page.headline import worst_segment
from dashboard.measure_page.view import load_view
from metrics import warehouse
from metrics.access import EVERYTHING
from metrics.lists.options import targets_on
from metrics.model.measure import Unit
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.targets.in_view import targets_in_view
from metrics.targets.targets import target_for
from tests.dashboard.conftest import Open, markup
from tests.dashboard.small_warehouse import AS_OF

PERIOD = choose("13W", as_of=AS_OF.date(), first=date(2025, 1, 1))
START, END = PERIOD.start, PERIOD.elapsed
ALL = choose("All", as_of=AS_OF.date(), first=date(2025, 1, 1))
BOTH = (("segment", ("A", "B")),)


def weighted() -> float:
    """By hand: A has its own target of 95 %. B is judged against the general target of 90 %."""
    with warehouse.reading(warehouse.locate()) as connection:
        asked = Question(("judged_orders",), by=("segment",), start=START, end=END, where=BOTH)
        judged = {one.dimensions["segment"]: float(one.value or 0) for one in answer(connection, asked)}
    assert min(judged.values()) > 0
    return (0.95 * judged["A"] + 0.90 * judged["B"]) / (judged["A"] + judged["B"])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("where", "scope"),
    [
        ((), "all"),
        ((("segment", ("A",)),), "segment:A"),
        (BOTH, "segments in view"),
        ((*BOTH, ("carrier", ("Blitz",))), "segments in view"),
        ((("segment", ("B", "C")),), "all"),
        ((("customer", ("C1", "C2")),), "all"),
    ],
)
def test_target_of_several_groups_if_only_some_have_their_own_target(
    where: tuple[tuple[str, tuple[str, ...]], ...], scope: str
) -> None:
    with warehouse.reading(warehouse.locate()) as connection:
        found = target_for(targets_in_view(connection, start=START, end=END, where=where), "otif", where)
        everyone = target_for(targets_on(connection, END), "complete", where)
        assert (
            target_for(targets_in_view(connection, start=START, end=END, where=where), "complete", where) == everyone
        ), "nobody has its own of these"
    assert found is not None
    assert found.scope == scope


@pytest.mark.usefixtures("small")
def test_pages_and_commands_use_the_same_weighted_target_for_several_segments(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted, generation = weighted(), warehouse.current(warehouse.locate())
    assert 0.90 < wanted < 0.95
    assert generation is not None
    found = target_for(
        queries.cached(targets_in_view, generation.number, start=START, end=END, where=BOTH), "otif", BOTH
    )
    assert found is not None
    assert found.value == pytest.approx(wanted)
    assert (
        load_view(menu.entry_of_file("scorecard"), ("otif",), generation.number, Filters(PERIOD, BOTH)).target("otif")
        == found
    )

    words = [
        "targets",
        "--json",
        "--from",
        str(START),
        "--to",
        str(END),
        "--where",
        "segment=A",
        "--where",
        "segment=B",
    ]
    monkeypatch.setattr(sys, "argv", ["buyerview", *words])
    with suppress(SystemExit):
        buyerview.main()
    (row,) = [
        one
        for one in json.loads(capsys.readouterr().out)
        if (one["measure"], one["scope"]) == ("otif", "segments in view")
    ]
    (whole,) = queries.answers(generation.number, Question(("otif",), start=START, end=END, where=BOTH))
    assert (row["target_value"], row["value"]) == (found.value, whole.value)

    html = markup(open_page(segment=["A", "B"]))
    assert f"target {formatting.number(found.value, Unit.SHARE)}" in html
    of_segments = re.search(r'aria-label="Service by customer segment.*?</table>', html, re.DOTALL)
    assert of_segments is not None
    assert {"target 95.0%", "target 90.0%"} <= set(re.findall(r"target [\d.]+%", of_segments[0]))


@pytest.mark.usefixtures("small")
def test_headline_says_so_if_every_segment_is_off_target() -> None:
    generation = warehouse.current(warehouse.locate())
    assert generation is not None
    view = load_view(menu.entry_of_file("scorecard"), ("otif",), generation.number, Filters(ALL, ()))
    of_all = [{"measure": "otif", "scope": "all", "target_value": 1.0, "tolerance": 0.0}]
    with queries.reading_as(EVERYTHING):
        one, all_off = (
            as_text([worst_segment(replace(view, targets=targets), "otif")]) for targets in (view.targets, of_all)
        )
    assert not one.startswith("Off target in every segment")
    assert all_off.startswith("Off target in every segment. Largest gap: segment ")
