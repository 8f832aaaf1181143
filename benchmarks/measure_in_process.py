"""One measurement in a process of its own, so that its peak memory is its own: `python -m benchmarks.measure_in_process
WHAT ARGUMENT ...` prints JSON.

Imports are done before the clock starts. Every answer has `seconds` and `peak_mb` (resource.getrusage), the rest is
told by name.
"""

import json
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks import hand_written_sql, pandas_baseline, plain_duckdb_load
from ingest import pipeline
from metrics.facts import fill
from metrics.facts.orders import facts_metadata
from metrics.queries.answer import Question, answer
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.rebuild import facts_state, rebuild
from metrics.warehouse import Location, current, duckdb_reader, reading, writing

TILES = ("perfect_order", "otif", "on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
ROUNDS = 60
CLOCK = time.perf_counter


@contextmanager
def clock() -> Iterator[dict[str, Any]]:
    """Adds what the block took: seconds on the clock, and of all processors together, which a busy machine bends less."""
    result: dict[str, Any] = {}
    started, spent = CLOCK(), time.process_time()
    yield result
    result["seconds"], result["cpu_seconds"] = CLOCK() - started, time.process_time() - spent


def ingest(mapping: str, home: str) -> dict[str, Any]:
    """A whole run, in its steps."""
    import great_expectations  # noqa: F401 - seconds of import that every run pays once

    steps: dict[str, float] = {}
    last = ["start", CLOCK()]

    def tell(step: str, share: float) -> None:
        del share
        now = CLOCK()
        name = str(last[0]).partition(" ")[0]
        steps[name] = steps.get(name, 0.0) + now - float(last[1])
        last[:] = [step, now]

    with clock() as result:
        report = pipeline.run(mapping, location=Location(folder=Path(home)), progress=tell)
    return result | {"rows": sum(file.rows_in for file in report.files), "steps": steps, "outcome": report.outcome}


def bare(mapping: str, database: str) -> dict[str, Any]:
    """The bare typed load."""
    with clock() as result:
        rows = plain_duckdb_load.load(Path(mapping), Path(database))
    return result | {"rows": rows}


def facts(home: str) -> dict[str, Any]:
    """Facts and rollups built in full, into empty tables, not published; the ledgers, which the yardstick has none of,
    are timed apart.
    """
    spent = {"seconds": 0.0, "cpu": 0.0}
    filling = fill.fill

    def timed(*words: Any) -> None:
        with clock() as own:
            filling(*words)
        spent["seconds"] += own["seconds"]
        spent["cpu"] += own["cpu_seconds"]

    fill.fill = timed
    with writing(Location(folder=Path(home))) as build:
        as_of = build.connection.scalar(select(facts_state.c.as_of))
        for metadata in (facts_metadata, rollup_metadata):
            metadata.drop_all(build.connection)
        build.save()
        with clock() as result:
            rebuild(build.connection, as_of=as_of, touched=None)
            build.save()
    fill.fill = filling
    result["seconds"] -= spent["seconds"]
    result["cpu_seconds"] -= spent["cpu"]
    return result | {"ledger_seconds": spent["seconds"]}


def hand(home: str, database: str) -> dict[str, Any]:
    """The same tables by hand-written SQL, in a copy of the same file with the same settings."""
    generation = current(Location(folder=Path(home)))
    assert generation is not None
    assert generation.file is not None
    shutil.copyfile(generation.file, database)
    connection = duckdb_reader.connect(Path(database), read_only=False)
    (as_of,) = connection.execute("SELECT as_of FROM facts_state").fetchone() or (None,)
    assert as_of is not None
    with clock() as result:
        connection.execute("BEGIN")
        hand_written_sql.build(connection, as_of)
        connection.execute("COMMIT")
    return result | {"agreement": hand_written_sql.agreement(connection)}


def query(home: str) -> dict[str, Any]:
    """The scorecard's seven tiles by segment and month from the rollup, through metrics.queries.answer and by hand;
    medians of many, taken in turn.
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
            found = answer(connection, question)
            middle = CLOCK()
            rows = connection.exec_driver_sql(written).fetchall()
            shares = [
                (*row[:2], *[row[i] / row[i + 1] if row[i + 1] else None for i in range(2, len(row), 3)])
                for row in rows
            ]
            theirs.append(CLOCK() - middle)
            ours.append(middle - began)
    assert len(found) == len(shares) * len(TILES)
    return {"seconds": statistics.median(ours), "hand_seconds": statistics.median(theirs)}


def carriers(home: str) -> dict[str, Any]:
    """The scorecard by carrier, which no rollup has, from opening the warehouse to the answers."""
    with clock() as result, reading(Location(folder=Path(home))) as connection:
        found = answer(connection, Question(TILES, by=("carrier",)))
    return result | {"answers": len(found)}


def pandas(folder: str) -> dict[str, Any]:
    """The scorecard by carrier from the files."""
    with clock() as result:
        found = pandas_baseline.scorecard(Path(folder))
    return result | {"answers": found.size}


ROLES = {one.__name__: one for one in (ingest, bare, facts, hand, query, carriers, pandas)}


def main() -> None:
    """Measure one thing."""
    result = ROLES[sys.argv[1]](*sys.argv[2:])
    in_a_megabyte = 1 << 20 if sys.platform == "darwin" else 1 << 10  # macOS counts bytes, Linux kilobytes
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / in_a_megabyte
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
