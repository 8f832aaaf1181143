"""Run a single measurement and print JSON: `python -m benchmarks.measure_in_process WHAT ARGUMENT ...`.

Each measurement runs in its own process, so that its peak memory is its own. Imports finish before the clock starts.
Every result has `seconds` and `peak_mb` (resource.getrusage), and further values by name.
"""

import json
import resource
import shutil
import statistics
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any  # results of JSON
from unittest.mock import patch

from sqlalchemy import select

from benchmarks import hand_written_sql, pandas_baseline, plain_duckdb_load
from benchmarks.clock import clock
from benchmarks.peer_and_edits import edit, peer
from benchmarks.whole_ingests import ingest, tiny
from metrics.facts.fill import fill
from metrics.facts.orders import facts_metadata, facts_state
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild import rebuild as rebuild_module
from metrics.warehouse import Location, current, instances, reading, writing

TILES = ("perfect_order", "otif", "on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
ROUNDS = 60
CLOCK = time.perf_counter


def bare(mapping: str, database: str) -> dict[str, Any]:
    """Measure the plain typed load."""
    with clock() as result:
        rows = plain_duckdb_load.load(Path(mapping), Path(database))
    return result | {"rows": rows}


def facts(home: str) -> dict[str, Any]:
    """Measure a full build of facts and rollups into empty tables, without publishing it.

    The further fact tables are timed separately, because the baseline does not have them.
    """
    spent = {"seconds": 0.0, "cpu": 0.0}

    def timed(*arguments: Any) -> None:  # Any: the arguments of fill, passed on
        with clock() as own:
            fill(*arguments)
        spent["seconds"] += own["seconds"]
        spent["cpu"] += own["cpu_seconds"]

    with writing(Location(folder=Path(home))) as build, patch.object(rebuild_module, "fill", timed):
        as_of = build.connection.scalar(select(facts_state.c.as_of))
        assert as_of is not None
        for metadata in (facts_metadata, rollup_metadata):
            metadata.drop_all(build.connection)
        build.save()
        with clock() as result:
            rebuild_module.rebuild(build.connection, as_of=as_of, touched=None)
            build.save()
    result["seconds"] -= spent["seconds"]
    result["cpu_seconds"] -= spent["cpu"]
    return result | {"ledger_seconds": spent["seconds"]}


def hand(home: str, database: str) -> dict[str, Any]:
    """Measure the same tables by hand-written SQL, in a copy of the same file with the same settings."""
    generation = current(Location(folder=Path(home)))
    assert generation is not None
    assert generation.file is not None
    shutil.copyfile(generation.file, database)
    connection = instances.connect(Path(database), read_only=False)
    (as_of,) = connection.execute("SELECT as_of FROM facts_state").fetchone() or (None,)
    assert as_of is not None
    with clock() as result:
        connection.execute("BEGIN")
        hand_written_sql.build(connection, as_of)
        connection.execute("COMMIT")
    return result | {"agreement": hand_written_sql.agreement(connection)}


def query(home: str) -> dict[str, Any]:
    """Measure the scorecard's seven tiles by segment and month from the rollup.

    The function alternates between metrics.queries.answer and hand-written SQL, and returns the median of each.
    """
    start, end = date(2025, 7, 1), date(2026, 6, 30)
    question = Question(TILES, by=("segment",), grain="month", start=start, end=end)
    roles = [(name, role) for name in TILES for role in ("numerator", "denominator", "unknown")]
    sums = ", ".join(f"sum({name}__{role})::BIGINT" for name, role in roles)
    written = (
        f"SELECT segment, month, {sums} FROM rollup_order_due WHERE day BETWEEN DATE '{start}' AND DATE '{end}' "
        "GROUP BY segment, month ORDER BY segment, month"
    )
    ours, theirs = [], []
    with reading(Location(folder=Path(home))) as connection:
        for _ in range(ROUNDS):
            began = CLOCK()
            answers = answer(connection, question)
            middle = CLOCK()
            rows = connection.exec_driver_sql(written).fetchall()
            shares = [
                (*row[:2], *[row[i] / row[i + 1] if row[i + 1] else None for i in range(2, len(row), 3)])
                for row in rows
            ]
            theirs.append(CLOCK() - middle)
            ours.append(middle - began)
    assert len(answers) == len(shares) * len(TILES)
    return {"seconds": statistics.median(ours), "hand_seconds": statistics.median(theirs)}


def carriers(home: str) -> dict[str, Any]:
    """Measure the scorecard by carrier, which no rollup has, from opening the warehouse to the answers."""
    with clock() as result, reading(Location(folder=Path(home))) as connection:
        answers = answer(connection, Question(TILES, by=("carrier",)))
    return result | {"answers": len(answers)}


def pandas(folder: str) -> dict[str, Any]:
    """Measure the scorecard by carrier from the files with pandas."""
    with clock() as result:
        shares = pandas_baseline.scorecard(Path(folder))
    return result | {"answers": shares.size}


ROLES = {
    function.__name__: function for function in (ingest, bare, facts, hand, query, carriers, pandas, edit, peer, tiny)
}


def main() -> None:
    """Run the measurement named on the command line."""
    result = ROLES[sys.argv[1]](*sys.argv[2:])
    in_a_megabyte = 1 << 20 if sys.platform == "darwin" else 1 << 10  # macOS counts bytes, Linux kilobytes
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / in_a_megabyte
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
