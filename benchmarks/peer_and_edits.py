"""Two measurements in further processes: a saved edit until it is in the numbers, and the semantic layer Sidemantic."""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any  # results of JSON

from sqlalchemy import select

from metrics.facts.orders import facts_state, order_facts_table
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.warehouse import Location, current, reading

ROOT = Path(__file__).resolve().parents[1]
START = date(2025, 7, 1)
ROUNDS = 60


def children() -> float:
    """Return the processor seconds of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def edit(home: str) -> dict[str, Any]:
    """Resolve a late order, and measure `buyerview apply`, which the dashboard starts after a save."""
    place, o = Location(folder=Path(home)), order_facts_table.c
    with reading(place) as connection:
        late = connection.scalars(select(o.order_id).where(o.on_time.is_(False)).order_by(o.order_id).limit(1)).one()
        now = connection.execute(select(facts_state.c.as_of)).scalar_one()
    with open_store(place) as store:
        moments = {"detected_at": now, "acknowledged_at": None, "resolved_at": now}
        item = work_items.item(store, late)
        work_items.resolve(store, "benchmark", item, remedy="other", note=None, **moments)
    began, spent = time.perf_counter(), children()
    command = [sys.executable, str(ROOT / "buyerview.py"), "apply", "--json"]
    subprocess.run(command, env={**os.environ, "BUYERVIEW_HOME": home}, check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - began, "cpu_seconds": children() - spent}


def peer(home: str, python: str) -> dict[str, Any]:
    """Compare a warm question and a whole process with Sidemantic, in processor seconds.

    python: the interpreter of an environment with Sidemantic. Without it, the result has the reason.
    """
    generation = current(Location(folder=Path(home)))
    assert generation is not None
    assert generation.file is not None
    copy = Path(home) / "peer.duckdb"  # Sidemantic opens a file for writing
    shutil.copyfile(generation.file, copy)
    command = [python, "-m", "benchmarks.peer_sidemantic", str(copy), START.isoformat()]
    warm = subprocess.run([*command, str(ROUNDS)], cwd=ROOT, capture_output=True, text=True, check=False)
    if warm.returncode:
        return {"skipped": f"Sidemantic does not run here: {warm.stderr.strip().splitlines()[-1]}"}
    spent = children()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    process = children() - spent
    question = Question(("on_time", "complete", "otif"), by=("segment",), grain="month", start=START)
    taken = []
    with reading(Location(folder=Path(home))) as connection:
        for _ in range(ROUNDS):
            began = time.process_time()
            answers = answer(connection, question)
            taken.append(time.process_time() - began)
    words = f"export --measures on_time,complete,otif --by segment --grain month --from {START} --format json --out -"
    spent = children()
    ours = [sys.executable, str(ROOT / "buyerview.py"), *words.split()]
    subprocess.run(ours, env={**os.environ, "BUYERVIEW_HOME": home}, check=True, capture_output=True)
    theirs = json.loads(warm.stdout)
    return {
        "warm_cpu_seconds": {"ours": statistics.median(taken), "sidemantic": theirs["cpu_seconds"]},
        "process_cpu_seconds": {"ours": children() - spent, "sidemantic": process},
        "sum": {"ours": round(sum(float(one.value) for one in answers if one.value is not None), 6)}
        | {"sidemantic": theirs["sum"]},
    }
