"""Whole ingests: a run of any sample into either kind of warehouse, and a tiny run from the shell."""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any  # results of JSON

from benchmarks.clock import clock
from benchmarks.compare_warehouses import location
from benchmarks.peer_and_edits import ROOT, children
from ingest import pipeline
from sample_data import generate

TINY_ORDERS = 200


def ingest(mapping: str, warehouse: str) -> dict[str, Any]:
    """Measure a whole run and its steps. `warehouse` is a folder, or the URL of a server on this machine."""
    importlib.import_module("great_expectations")  # every run pays these seconds of import once; do not measure them

    place = location(warehouse)
    steps: dict[str, float] = {}
    last_step, last_time = "start", time.perf_counter()

    def progress(step: str, share: float) -> None:
        nonlocal last_step, last_time
        del share
        now = time.perf_counter()
        name = last_step.partition(" ")[0]
        steps[name] = steps.get(name, 0.0) + now - last_time
        last_step, last_time = step, now

    with clock(place) as result:
        report = pipeline.run(mapping, location=place, progress=progress)
    return result | {"rows": sum(file.rows_in for file in report.files), "steps": steps, "outcome": report.outcome}


def tiny(folder: str) -> dict[str, float]:
    """Measure `buyerview ingest` of 200 orders with all feeds, as a process into an empty folder."""
    mapping = generate(TINY_ORDERS, Path(folder) / "sample", feeds="all")
    began, spent = time.perf_counter(), children()
    subprocess.run(
        [sys.executable, str(ROOT / "buyerview.py"), "ingest", str(mapping), "--json"],
        env={**os.environ, "BUYERVIEW_HOME": str(Path(folder) / "home")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return {"seconds": time.perf_counter() - began, "cpu_seconds": children() - spent}
