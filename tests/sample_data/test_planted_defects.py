"""Ingest detects every planted defect and no other record: the quarantine has precision and recall 1.0."""

import csv
from collections import Counter
from pathlib import Path, PurePath

import pytest
from sqlalchemy import select

from ingest.pipeline import run
from metrics.schema import FEEDS, quarantine, run_files
from metrics.warehouse import locate, reading
from sample_data import generate
from sample_data.planting import QUARANTINED, SUPERSEDED, WAITING
from tests.support.ask_measures import only

filled = only()

Place = tuple[str, int]
"""A record: its file and its number in the file."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample")
    generate(3000, out)
    return out


@pytest.fixture(scope="module")
def outcomes(sample, tmp_path_factory):
    """Return the outcome of every record of every feed."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUYERVIEW_HOME", str(home))
        patch.delenv("BUYERVIEW_WAREHOUSE", raising=False)
        location = locate()
        run(sample / "mapping.toml", location=location)
        with reading(location) as connection:
            return read_outcomes(connection)


def read_outcomes(connection) -> dict[Place, str]:
    files = {row.file_id: row for row in connection.execute(select(run_files))}
    places = {
        (PurePath(file.name).name, row_no): SUPERSEDED
        for file in files.values()
        for row_no in range(1, file.rows_in + 1)
    }  # records neither loaded nor in quarantine
    for feed in FEEDS.values():
        for file_id, row_no in connection.execute(select(feed.table.c.file_id, feed.table.c.row_no)):
            places[PurePath(files[file_id].name).name, row_no] = "loaded"
    became = {"rejected": QUARANTINED, "waiting": WAITING}
    for row in connection.execute(select(quarantine)):
        places[PurePath(row.object_name).name, row.row_no] = became[row.status]
    return places


def planted(sample: Path) -> dict[Place, tuple[str, str]]:
    with (sample / "defects.csv").open(encoding="utf-8", newline="") as file:
        return {(row["file"], int(row["row_no"])): (row["kind"], row["outcome"]) for row in csv.DictReader(file)}


@pytest.mark.long
def test_every_planted_defect_is_caught(sample, outcomes):
    missed = {
        place: (kind, outcome, outcomes[place])
        for place, (kind, outcome) in planted(sample).items()
        if outcomes[place] != outcome
    }
    assert missed == {}


@pytest.mark.long
def test_nothing_else_is_rejected_or_superseded(sample, outcomes):
    listed = planted(sample)
    assert {place: outcome for place, outcome in outcomes.items() if outcome != "loaded" and place not in listed} == {}


@pytest.mark.long
def test_precision_and_recall_of_the_quarantine_are_one(sample, outcomes):
    wanted = {place for place, (_, outcome) in planted(sample).items() if outcome != SUPERSEDED}
    caught = {place for place, outcome in outcomes.items() if outcome in (QUARANTINED, WAITING)}
    assert Counter(precision=len(wanted & caught) / len(caught), recall=len(wanted & caught) / len(wanted)) == {
        "precision": 1.0,
        "recall": 1.0,
    }
