"""Records arrive in any order, in one to four runs, and some arrive twice: the facts and measures are the same."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from metrics import warehouse
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.rebuild import rebuild
from metrics.warehouse import Location, reading
from tests.ingest.files import LINES, ORDERS, SHIPMENT_LINES, SHIPMENTS, Source
from tests.support import tries as counts
from tests.support.tries import Tries

ORDERS_DRAWN = counts.number(goal=1_000, usual=2)
NEWER = "2026-03-05T00:00:00Z"
MEASURED = ("otif", "on_time", "complete", "judged_orders")
OWN = ("file_id", "row_no", "run_id")
"""Columns that name the file of a record."""


def parts() -> dict[str, str]:
    """Return the files: the records of the small source one by one, and two newer versions.

    No version changes a quantity: R14 (quantity changes) asks when a run learned of the change.
    """
    found: dict[str, str] = {}
    for feed, content in (
        ("orders", ORDERS),
        ("order_lines", LINES),
        ("shipments", SHIPMENTS),
        ("shipment_lines", SHIPMENT_LINES),
    ):
        header, *records = content.splitlines()
        for at, record in enumerate(records):
            found[f"{feed}-{at}.csv"] = f"{header},changed\n{record},2026-03-01T00:00:00Z\n"
    found["orders-9.csv"] = f"no,customer,placed,promised,changed\nO1,C1,2026-03-02T10:00:00,2026-03-08,{NEWER}\n"
    found["order_lines-9.csv"] = f"no,pos,item,qty,changed\nO1,2,P3,5,{NEWER}\n"
    return found


def arrive(folder: Path, batches: list[list[str]], contents: dict[str, str]) -> str:
    """Take in the batches, one run each. Return the hash of the facts and the measures."""
    folder.mkdir()
    source = Source(folder, Location(folder=folder / "home"))
    for feed in source.columns:
        source.columns[feed]["source_updated_at"] = '"changed"'
        source.origin[feed] = f'read = "{feed}-*.csv"'
        source.write(f"{feed}-none.csv", contents[f"{feed}-0.csv"].splitlines()[0] + "\n")
    for batch in batches:
        for name in batch:
            source.write(name, contents[name])
        source.take_in()
    with reading(source.location) as connection:
        found: list[object] = []
        for table in (order_facts_table, order_line_facts_table):
            kept = [column for column in table.c if column.name not in OWN]
            found.append(sorted(map(repr, connection.execute(select(*kept)).all())))
        answers = answer(connection, Question(MEASURED))
        found += [(one.measure, one.value, one.numerator, one.denominator) for one in answers]
    warehouse.close(source.location)
    shutil.rmtree(folder)
    return hashlib.sha256(repr(found).encode()).hexdigest()


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_every_order_of_arrival_gives_the_same_facts_and_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: Tries
) -> None:
    monkeypatch.setattr(rebuild, "FACT_TABLES", ())
    contents = parts()
    whole = arrive(tmp_path / "whole", [list(contents)], contents)
    seed = int(os.environ.get("SEED", "11"))
    for drawn in range(ORDERS_DRAWN):
        tries.add()
        dice = random.Random(f"{seed} {drawn}")
        names = dice.sample(list(contents), len(contents))
        cuts = sorted(dice.sample(range(1, len(names)), dice.randrange(4)))
        batches = [names[start:end] for start, end in zip([0, *cuts], [*cuts, len(names)], strict=True)]
        batches[-1] += dice.sample(names, 2)  # the same content again
        assert arrive(tmp_path / "drawn", batches, contents) == whole, f"SEED={seed}, {drawn}: {batches}"
