"""Records arrive in any order, in one to four runs, and some arrive twice: the facts and measures are the same (B36).

Each draw is a small business of its own: its customers, orders and shipments bear its number. All draws share four
runs, so a thousand orders of arrival take seconds. Draw 0 arrives at once and in order; the others must equal it.
"""

import hashlib
import os
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.rebuild import rebuild
from metrics.warehouse import Location, reading
from tests.ingest.files import LINES, ORDERS, SHIPMENT_LINES, SHIPMENTS, Source
from tests.support import tries as counts
from tests.support.tries import Tries

DRAWS = counts.number(goal=1_000, usual=1_000)
RUNS, FILES = 4, 3
"""The most runs of a draw, and the files of a feed in a run."""
OLDER, NEWER = "2026-03-01T00:00:00Z", "2026-03-05T00:00:00Z"
MEASURED = ("otif", "on_time", "complete", "judged_orders")
OWN = ("file_id", "row_no", "run_id")
"""Columns that name the file of a record."""
CONTENTS = {"orders": ORDERS, "order_lines": LINES, "shipments": SHIPMENTS, "shipment_lines": SHIPMENT_LINES}
HEADERS = {feed: f"{content.splitlines()[0]},changed" for feed, content in CONTENTS.items()}
RECORDS = [
    *[(feed, f"{record},{OLDER}") for feed, content in CONTENTS.items() for record in content.splitlines()[1:]],
    # Newer versions. The line orders 4 in place of 5, so 5 stay owed (R14, quantity changes). None orders more, because
    # R14 asks when a run learned of that.
    ("orders", f"O1,C1,2026-03-02T10:00:00,2026-03-08,{NEWER}"),
    ("order_lines", f"O1,2,P3,4,{NEWER}"),
]


def arrivals(draw: int, seed: int) -> Iterator[tuple[int, str, int, str]]:
    """Yield the records of a draw in the order of their arrival: the run, the feed, the file and the line."""
    dice = random.Random(f"{seed} {draw}")
    drawn = dice.sample(RECORDS, len(RECORDS)) if draw else RECORDS
    cuts = sorted(dice.sample(range(1, len(drawn)), dice.randrange(RUNS))) if draw else []
    batches = [drawn[start:end] for start, end in zip([0, *cuts], [*cuts, len(drawn)], strict=True)]
    if draw:
        batches[-1] += dice.sample(drawn, 2)  # the same content again
    for number, batch in enumerate(batches):
        for place, (feed, record) in enumerate(batch):
            own = re.sub(r"\b([OSC]\d)\b", rf"\1-{draw}", record)
            yield number, feed, place * FILES // len(batch), own


def hashes(connection: Connection, draws: int) -> list[str]:
    """Return the hash of the facts and measures of each draw, without its number."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for table in (order_facts_table, order_line_facts_table):
        kept = [column for column in table.c if column.name not in OWN]
        for row in connection.execute(select(*kept)):
            draw = row.order_id.partition("-")[2]
            found[int(draw)].append(repr(row).replace(f"-{draw}'", "'"))
    for one in answer(connection, Question(MEASURED, by=("customer",))):
        customer, _, draw = str(one.dimensions["customer"]).partition("-")
        found[int(draw)].append(repr((customer, one.measure, one.value, one.numerator, one.denominator)))
    return [hashlib.sha256("\n".join(sorted(found[draw])).encode()).hexdigest() for draw in range(draws)]


@pytest.mark.long
def test_every_order_of_arrival_gives_the_same_facts_and_measures(
    tmp_path: Path, location: Location, monkeypatch: pytest.MonkeyPatch, tries: Tries
) -> None:
    monkeypatch.setattr(rebuild, "FACT_TABLES", ())
    seed = int(os.environ.get("SEED", "11"))
    files: defaultdict[tuple[int, str, int], list[str]] = defaultdict(list)
    for draw in range(DRAWS + 1):
        for run, feed, file, record in arrivals(draw, seed):
            files[run, feed, file].append(record)
    source = Source(tmp_path, location)
    for feed in source.columns:
        source.columns[feed]["source_updated_at"] = '"changed"'
        source.origin[feed] = f'read = "{feed}-*.csv"\nsettle = 0'
    for now in range(RUNS):
        for (run, feed, file), records in files.items():
            if run == now:
                source.write(f"{feed}-{run}-{file}.csv", "\n".join([HEADERS[feed], *records, ""]))
        source.take_in()
    with reading(location) as connection:
        whole, *others = hashes(connection, DRAWS + 1)
        found = connection.execute(select(order_facts_table.c.order_id)).all()
    assert len(found) == 2 * (DRAWS + 1)
    assert [f"SEED={seed}, {draw}" for draw, other in enumerate(others, 1) if other != whole] == []
    tries.add(DRAWS)
