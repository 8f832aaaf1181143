"""Fixtures for all tests: an empty folder, an empty warehouse on each engine, and the sample."""

import gc
import itertools
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from benchmarks.cluster import Cluster
from ingest.pipeline import run
from metrics import warehouse
from metrics.facts.registry import FACT_TABLES
from metrics.rebuild import rebuild
from metrics.warehouse import Location
from sample_data import generate
from tests.support import once, postgres, spark, tries

_numbers = itertools.count(1)

UMASK = os.umask(0o077)
os.umask(UMASK)

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, each child process compiles every module again

gc.set_threshold(
    50_000, 20, 20
)  # Judging builds large SQL trees: collecting garbage every 700 objects takes a fifth of the time.


def pytest_configure(config: pytest.Config) -> None:
    """Record the counts of the fault tests if FAULT_COUNTS is set."""
    tries.record(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the PostgreSQL case of a test that runs on both engines to the long run (`-m ""`).

    Modules marked `both_engines` keep it in every run: they show that both engines give equal answers for all measures.
    Of a test marked `every_run`, move the cases that the marker does not name.
    """
    for item in items:
        named = item.get_closest_marker("every_run")
        if named is not None and item.name.partition("[")[2].removesuffix("]") not in named.args:
            item.add_marker(pytest.mark.long)
        on_server = any(f"[{name}" in item.name or f"-{name}" in item.name for name in ("postgresql", "server"))
        if on_server and item.get_closest_marker("both_engines") is None:
            item.add_marker(pytest.mark.long)


@pytest.fixture(name="tries")
def _tries(request: pytest.FixtureRequest) -> tries.Tries:
    """Count the tries of a test, for docs/faults.md."""
    return tries.Tries(request.node.user_properties)


SAMPLE_ORDERS = 500


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Location]:
    """A warehouse with sample orders of every feed, for tests that only read.

    The mapping is in the folder `sample` next to the warehouse. One test process ingests the orders; others copy it.
    """
    folder = once.copied(tmp_path_factory, "sample", _ingest_sample)
    place = Location(folder=folder / "home")
    yield place
    warehouse.close(place)


def _ingest_sample(folder: Path) -> None:
    place = Location(folder=folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        # The first test may fill only some fact tables (tests/support/ask_measures.py, only). The sample fills all.
        patch.setattr(rebuild, "FACT_TABLES", FACT_TABLES)
        run(generate(SAMPLE_ORDERS, folder / "sample"), location=place, now=datetime(2026, 7, 1, 6))
    warehouse.close(place)


@pytest.fixture(autouse=True)
def _no_wait_for_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait until the files of a pattern stop changing: tests write them immediately before."""
    monkeypatch.setenv("BUYERVIEW_SETTLE", "0")


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    """Restore the first umask after each test: `buyerview.main` sets a private one, also in a fixture of a module."""
    yield
    os.umask(UMASK)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the embedded warehouse, set in BUYERVIEW_HOME. No server is set."""
    folder = tmp_path / "home"
    monkeypatch.setenv("BUYERVIEW_HOME", str(folder))
    monkeypatch.delenv("BUYERVIEW_WAREHOUSE", raising=False)
    return folder


@pytest.fixture
def location(home: Path) -> Iterator[Location]:
    """An empty embedded warehouse, which is also the one `locate()` finds."""
    place = Location(folder=home)
    yield place
    warehouse.close(place)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a throwaway PostgreSQL cluster, one per test session."""
    with postgres.cluster() as url:
        yield url


@pytest.fixture(scope="session")
def sample_on_server(postgres_url: str, sample: Location) -> Iterator[Location]:
    """The sample of the fixture `sample` in PostgreSQL, for tests that only read."""
    assert sample.folder is not None
    with postgres.database(postgres_url, "sample") as url:
        place = Location(url=make_url(url))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rebuild, "FACT_TABLES", FACT_TABLES)  # as in _ingest_sample
            run(sample.folder.parent / "sample" / "mapping.toml", location=place, now=datetime(2026, 7, 1, 6))
        yield place
        warehouse.close(place)


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Spark cluster with two workers, one per test session."""
    with spark.running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database, dropped after the test."""
    with postgres.database(postgres_url, f"test_{next(_numbers)}") as url:
        yield url


@pytest.fixture
def server_location(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    """An empty warehouse, on each engine."""
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", postgres_database)
    place = warehouse.locate()
    yield place
    warehouse.close(place)


@pytest.fixture(
    params=["location", pytest.param("server_location", marks=pytest.mark.postgres)], ids=["embedded", "server"]
)
def any_location(request: pytest.FixtureRequest) -> Location:
    """An empty warehouse; the test runs once on each kind."""
    place: Location = request.getfixturevalue(request.param)
    return place
