"""Every measure has the same number on its page, in the file of `buyerview export`, and in the table of the export
page.
"""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import buyerview
from dashboard import queries
from dashboard.components import formatting
from dashboard.components.reasons import in_plain_words
from dashboard.exports import write
from dashboard.frame import menu, menu_entries
from dashboard.frame.period import choose
from dashboard.measure_page.view import measures_of
from dashboard.sections import scorecard
from metrics.lists.data_status import data_status
from metrics.measures.catalog import MEASURES
from metrics.model.question import Question
from metrics.queries.answer_table import answer_table
from metrics.warehouse import Location, current
from tests.dashboard.conftest import Open, markup

PAGES = [*(entry.file.removesuffix(".py") for entry in menu_entries.ENTRIES if entry.measures), "scorecard"]
VIEWS: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = ((), (("segment", ("B",)), ("channel", ("edi", "web"))))


@pytest.fixture
def at_sample(sample: Location, at_home: Callable[[Path], None]) -> Location:
    """The dashboard and the command find the sample."""
    assert sample.folder is not None
    at_home(sample.folder)
    return sample


def exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], where: Any, start: date, end: date
) -> dict[str, dict[str, Any]]:
    """Return the numbers that the command exports, by measure."""
    file = tmp_path / "answers.json"
    words = [
        "export",
        "--measures",
        ",".join(names),
        "--format",
        "json",
        "--out",
        str(file),
        "--from",
        str(start),
        "--to",
        str(end),
    ]
    words += [word for name, values in where for value in values for word in ("--where", f"{name}={value}")]
    monkeypatch.setattr(sys, "argv", ["buyerview", *words])
    with suppress(SystemExit):
        buyerview.main()
    return {row["measure"]: row for row in json.loads(file.read_text())}


def shown(html: str, measure: str) -> str:
    """The markup of a measure's number on a page."""
    return html.split(f'data-measure="{measure}">', 1)[1].split("</td>")[0].split("</li>")[0]


@pytest.mark.every_run(
    "scorecard-all",
    "scorecard-filtered",
    "recovery-filtered",
    "profitability-all",
    "stockouts-filtered",
    "two_books-all",
)
@pytest.mark.parametrize("where", VIEWS, ids=["all", "filtered"])
@pytest.mark.parametrize("page", PAGES)
def test_page_command_and_export_page_give_the_same_number(
    page: str, where: Any, at_sample: Location, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list(scorecard.TILES) if page == "scorecard" else list(measures_of(menu.entry_of_file(page)))
    html = markup(open_page(None if page == "scorecard" else page, **{name: list(values) for name, values in where}))
    generation = current(at_sample)
    assert generation is not None
    status = queries.cached(data_status, generation.number)
    assert status.data_as_of is not None
    assert status.first_day is not None
    weeks = choose("13W", as_of=status.data_as_of.date(), first=status.first_day)
    written = exported(tmp_path, monkeypatch, names, where, weeks.start, weeks.end)

    offered = queries.read(
        answer_table,
        generation.number,
        Question(tuple(names), start=weeks.start, end=weeks.end, where=where),
    )
    assert [dict(zip(offered.columns, row, strict=True)) for row in write.export_rows(offered)] == list(
        written.values()
    )
    for name in names:
        row, number = written[name], shown(html, name)
        if row["value"] is not None:
            assert formatting.number(row["value"], MEASURES[name].unit) in number, name
        elif row["worst"] is not None and "no data" not in row["note"] and "no feed" not in row["note"]:
            assert f"{row['worst'] * 100:.1f}–{row['best'] * 100:.1f}%" in number, name
        else:
            assert formatting.html(in_plain_words(row["note"].split(";")[0])) in number, name
