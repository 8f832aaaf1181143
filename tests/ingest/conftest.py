from pathlib import Path

import pytest

from metrics.rebuild import rebuild
from metrics.warehouse import Location
from tests.ingest.files import Source


@pytest.fixture(autouse=True)
def no_ledgers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the fact tables. Ingest tests check records, orders and lines; fact tables have their own tests."""
    monkeypatch.setattr(rebuild, "FACT_TABLES", ())


@pytest.fixture
def source(tmp_path: Path, location: Location) -> Source:
    """The small source, loaded into an embedded warehouse."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Source(folder, location).write_all()


@pytest.fixture
def any_source(tmp_path: Path, any_location: Location) -> Source:
    """The small source, loaded into each kind of warehouse."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Source(folder, any_location).write_all()
