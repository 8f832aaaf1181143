"""Two measurements of whole ingests: a tiny run from the shell, and PostgreSQL against DuckDB."""

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from benchmarks.peer_and_edits import ROOT, children
from ingest import pipeline
from metrics.warehouse import Location
from sample_data import generate

TINY_ORDERS = 200
POSTGRES_ORDERS = 3_000
"""Most orders of the comparison with PostgreSQL."""


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


def postgres(folder: str, orders: str) -> dict[str, float | None]:
    """Measure the ingest of the same files into PostgreSQL and into DuckDB, on the clock.

    Without an installed PostgreSQL, the seconds are null.
    """
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return {"seconds": None, "duckdb_seconds": None}
    mapping = generate(min(int(orders), POSTGRES_ORDERS), Path(folder) / "sample", feeds="all")
    importlib.import_module("great_expectations")  # only the first run of a process imports it
    embedded = _seconds(mapping, Location(folder=Path(folder) / "home"))
    with _server() as url:
        return {"seconds": _seconds(mapping, Location(url=make_url(url))), "duckdb_seconds": embedded}


def _seconds(mapping: Path, place: Location) -> float:
    began = time.perf_counter()
    pipeline.run(mapping, location=place)
    return time.perf_counter() - began


@contextmanager
def _server() -> Iterator[str]:
    """Yield the URL of an empty database on the temporary server of the tests."""
    from tests.support import postgres as server

    with server.cluster() as cluster, server.database(cluster, "benchmark") as url:
        yield url
