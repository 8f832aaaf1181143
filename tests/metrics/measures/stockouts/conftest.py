"""Databases for the worked cases of stockouts. They fill only the fact tables that the cases read."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from metrics.facts import order_intervals
from metrics.facts import stockouts as stockouts_module
from metrics.facts.money import movements
from metrics.queries import statements
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild import rebuild
from tests.support.ask_measures import only
from tests.support.engines import memory

filled = only(movements, stockouts_module)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(autouse=True)
def stockouts_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill only the fact tables of stockouts. Such a build takes a fifth of the time."""
    if "sample" not in request.fixturenames:
        monkeypatch.setattr(
            rebuild,
            "FACT_TABLES",
            (*movements.FACT_TABLES, *order_intervals.FACT_TABLES, *stockouts_module.FACT_TABLES),
        )
        monkeypatch.setattr(rebuild, "rebuild_rollups", rollup_metadata.create_all)
        monkeypatch.setattr(statements, "smallest_rollup", lambda *_, **__: None)
