"""Worked examples on outside data with published answers. Skipped without the data, which may not be copied."""

import os
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select

from ingest.pipeline import run
from metrics.queries.answer import Question, answer
from metrics.schema import mapped_columns
from metrics.warehouse import Location, reading

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
DATA = Path(os.environ.get("BUYERVIEW_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")


def data(name: str) -> Path:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not at hand: put it into a folder and name its parent in BUYERVIEW_TEST_DATA")
    return folder


def parts(
    location: Location, *measures: str, by: tuple[str, ...] = ()
) -> dict[tuple[str | None, ...], tuple[object, object]]:
    """Measure and dimensions to numerator and denominator."""
    with reading(location) as connection:
        found = answer(connection, Question(measures=measures, by=by))
    return {(one.measure, *one.dimensions.values()): (one.numerator, one.denominator) for one in found}


@pytest.mark.long
def test_atliq_gives_the_published_figures(location: Location) -> None:
    folder = data("atliq")
    report = run(EXAMPLES / "atliq.toml", data_dir=folder, location=location)
    assert report.checks_failed == 0
    assert parts(location, "orders", "order_lines", "ordered_units", "received_units") == {
        ("orders",): (31729, None),
        ("order_lines",): (57096, None),
        ("ordered_units",): (13426936, None),
        ("received_units",): (12969157, None),
    }
    assert parts(location, "on_time", "complete", "otif", "line_fill_final") == {
        ("on_time",): (18730, 31729),
        ("complete",): (16747, 31729),
        ("otif",): (9208, 31729),
        ("line_fill_final",): (37661, 57096),
    }
    city = {
        key: round(100 * int(str(top)) / int(str(bottom)), 2)
        for key, (top, bottom) in parts(location, "otif", by=("region",)).items()
    }
    assert city == {("otif", "Ahmedabad"): 29.33, ("otif", "Surat"): 30.07, ("otif", "Vadodara"): 27.78}
    with reading(location) as connection:
        texts = {
            one.measure: one.no_data
            for one in answer(connection, Question(measures=("damage_free", "billed_accurately")))
        }
    assert all(text and text.startswith("no feed") for text in texts.values()), texts


@pytest.mark.long
@pytest.mark.postgres
def test_northwind_pulled_from_a_database_gives_its_known_answers(
    location: Location, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (data("northwind") / "northwind.sql").read_text(encoding="utf-8")
    with psycopg.connect(
        make_url(postgres_database).set(drivername="postgresql").render_as_string(hide_password=False)
    ) as database:
        database.execute(script.encode())
    monkeypatch.setenv("NORTHWIND_URL", postgres_database)
    report = run(EXAMPLES / "northwind.toml", location=location)
    assert report.checks_failed == 0
    found = parts(location, "orders", "on_time", "ordered_units", "cycle_days", "days_late")
    assert found["orders",] == (830, None)
    assert found["on_time",] == (772, 830)
    assert found["ordered_units",] == (51317, None)
    assert found["cycle_days",] == (6870, 809)
    assert found["days_late",] == (236, 37)
    with reading(location) as connection:
        stand_ins = connection.execute(
            select(mapped_columns.c.column_name, mapped_columns.c.stands_in_for).where(
                mapped_columns.c.stands_in_for.is_not(None)
            )
        )
        assert sorted(map(tuple, stand_ins)) == [("promised_by", "required date"), ("received_at", "ship date")]
    assert run(EXAMPLES / "northwind.toml", location=location).outcome == "unchanged"


@pytest.mark.postgres
@pytest.mark.long  # test_cursors.py pulls from PostgreSQL in every run
def test_cursor_pulls_only_new_rows_and_a_repeated_pull_changes_nothing(
    tmp_path: Path, location: Location, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_URL", postgres_database)
    plain = make_url(postgres_database).set(drivername="postgresql").render_as_string(hide_password=False)
    feeds = {
        "orders": ("order_id", "customer_id", "ordered_at"),
        "order_lines": ("order_id", "line_no", "ordered_qty"),
        "shipments": ("shipment_id",),
        "shipment_lines": ("shipment_id", "shipment_line_no", "order_id", "line_no", "shipped_qty"),
    }
    text = '[source]\nname = "erp"\ntime_zone = "UTC"\n'
    with psycopg.connect(plain, autocommit=True) as database:
        for feed, columns in feeds.items():
            listed = ", ".join(f"{one} text" for one in columns)
            database.execute(f"create table {feed} ({listed}, updated_at timestamptz)".encode())
            text += (
                f"[{feed}]\nconnection = 'env:ERP_URL'\nquery = 'select * from {feed} where updated_at >= :cursor "
                "order by updated_at'\n"
            )
            text += f"cursor = 'updated_at'\ncursor_start = 2000-01-01T00:00:00Z\n[{feed}.columns]\n"
            text += "".join(f"{one} = '{one}'\n" for one in columns)
        database.execute(
            "insert into orders values ('O1', 'C1', '2026-03-01', '2026-03-01T10:00Z'), ('O2', 'C1', '2026-03-01', "
            "'2026-03-02T10:00Z')"
        )
        mapping = tmp_path / "erp.toml"
        mapping.write_text(text)
        first = run(mapping, location=location)
        database.execute("insert into orders values ('O3', 'C1', '2026-03-02', '2026-03-02T10:00Z')")
        second = run(mapping, location=location)
    assert [file.rows_in for file in first.files if file.feed == "orders"] == [2]
    # O2 again, because it has the last value seen, and O3.
    assert [
        (file.rows_in, file.rows_loaded, file.rows_superseded) for file in second.files if file.feed == "orders"
    ] == [(2, 1, 1)]
