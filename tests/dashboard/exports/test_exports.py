"""Exports by command and by page: the same bytes, harmless text, whole tables, and the results of verify."""

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

import buyerview
from dashboard import queries
from dashboard.exports import fact_table, write
from dashboard.exports.read import read, read_for_verification
from dashboard.sections import export
from metrics import warehouse
from metrics.facts import arrow_batches
from metrics.facts.arrow_batches import TABLES, batches
from metrics.facts.orders import order_facts_table
from metrics.model.question import Question
from metrics.provenance.provenance import provenance
from metrics.provenance.verify import verify
from metrics.queries import answer_table
from metrics.queries.answer import answer
from metrics.warehouse import Location
from tests.dashboard.conftest import Open, markup
from tests.dashboard.small_warehouse import EVIL, publish

Run = Callable[..., int]
ASKED = Question(("otif", "cycle_days"), by=("customer", "carrier"), grain="quarter", where=(("segment", ("A", "B")),))


@pytest.fixture
def run(small: Path, monkeypatch: pytest.MonkeyPatch) -> Run:  # noqa: ARG001 - the warehouse it finds
    def command(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["buyerview", *words])
        try:
            buyerview.main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return command


@pytest.mark.parametrize("fmt", list(write.FORMATS))
def test_download_equals_the_output_of_the_displayed_command(
    fmt: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = replace(ASKED, start=date(2026, 1, 1), end=date(2026, 6, 30))
    generation = queries.current().number
    words = export.command(question, fmt).split()
    monkeypatch.chdir(tmp_path)
    assert run(*words[1:]) == 0
    name = words[-1].removesuffix(write.ZIP)
    assert (tmp_path / words[-1]).read_bytes() == write.download(
        queries.read(answer_table.answer_table, generation, question),
        fmt,
        name,
        queries.cached(provenance, generation, question),
    )
    assert run("verify", words[-1]) == 0


def test_csv_export_has_plain_rows_and_a_separate_provenance_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    assert run("export", "--measures", "otif", "--by", "segment", "--format", "csv", "--out", str(file)) == 0
    assert next(csv.reader(io.StringIO(file.read_text())))[:2] == ["segment", "measure"]
    sidecar = json.loads((tmp_path / "x.csv.provenance.json").read_text())
    assert sidecar["definitions"]["otif"]["denominator"]
    assert sidecar["policy"]["timing"] == "DEADLINE"
    assert {"rows_sha256", "generation", "run", "checks_failed", "buyerview", "data_as_of"} <= set(sidecar)
    assert sidecar["checks_failed"][0]["rows_failed"] == sidecar["in_quarantine"]["order_lines"] == 3


def test_verify_returns_an_exit_status_for_each_result(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    assert (
        run("export", "--measures", "otif,failed_orders", "--by", "segment", "--format", "json", "--out", str(file))
        == 0
    )
    assert run("verify", str(file)) == 0
    rows = json.loads(file.read_text())
    rows[1]["value"] += 1
    file.write_text(json.dumps(rows))
    capsys.readouterr()
    assert run("verify", str(file)) == 1
    output = capsys.readouterr().out
    assert "ALTERED" in output
    assert f"segment A, failed_orders: value {rows[1]['value'] - 1} → {rows[1]['value']}" in output
    assert run("verify", str(file), "--json") == 1
    assert json.loads(capsys.readouterr().out)["altered"] is True
    (tmp_path / "x.json.provenance.json").unlink()
    assert run("verify", str(file)) == 65


def test_zip_export_contains_data_and_provenance(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.csv.zip"
    assert run("export", "--measures", "otif", "--format", "csv", "--out", str(file)) == 0
    assert zipfile.ZipFile(file).namelist() == ["x.csv", "x.csv.provenance.json"]
    assert read(file).columns[0] == "measure"


def test_names_with_formulas_or_markup_verify_in_every_format(small: Path, tmp_path: Path) -> None:  # noqa: ARG001
    with warehouse.reading(warehouse.locate()) as connection:
        table = answer_table.answer_table(connection, Question(("orders",), by=("customer",)))
    for at, name in enumerate(("=1+1", "\n@x", EVIL)):
        table.rows[at] = (name, *table.rows[at][1:])
    for fmt in write.FORMATS:
        write.write(table, fmt, tmp_path / f"x.{fmt}", {"generation": 1})
        found = read(tmp_path / f"x.{fmt}")
        assert found.provenance["rows_sha256"] == read(tmp_path / "x.csv").provenance["rows_sha256"]


@pytest.mark.parametrize("fmt", fact_table.FORMATS)
def test_exported_table_has_every_row_and_verify_detects_a_changed_byte(fmt: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / f"t.{fmt}"
    assert run("export", "--table", "order_facts", "--format", fmt, "--out", str(file)) == 0
    with warehouse.reading(warehouse.locate()) as connection:
        count = connection.execute(select(func.count()).select_from(order_facts_table)).scalar_one()
    sidecar = json.loads((tmp_path / f"t.{fmt}.provenance.json").read_text())
    assert sidecar["rows"] == count
    if fmt == "parquet":
        assert pq.read_table(file).column_names == [column.name for column in order_facts_table.columns]
    else:
        assert len(list(csv.reader(io.StringIO(file.read_text(), newline="")))) == count + 1
    assert run("verify", str(file)) == 0
    content = file.read_bytes()
    at = len(content) // 2
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    assert run("verify", str(file)) == 1


def test_table_batches_have_the_columns_of_the_table(small: Path) -> None:  # noqa: ARG001
    with warehouse.reading(warehouse.locate()) as connection:
        for table in TABLES.values():
            assert next(batches(connection, table)).schema.names == [column.name for column in table.columns]


def test_row_by_row_batches_equal_the_native_arrow_batches(small: Path) -> None:  # noqa: ARG001
    """A server's driver returns rows. Rows of DuckDB replace them here."""
    with warehouse.reading(warehouse.locate()) as connection:
        first, *rest = batches(connection, order_facts_table)
        by_row = pa.Table.from_batches(arrow_batches._from_rows(connection, select(order_facts_table), first.schema))
    assert by_row.sort_by("order_id").equals(pa.Table.from_batches(rest).sort_by("order_id"))


def test_export_page_suggests_csv_or_parquet_if_the_workbook_is_too_large(
    page_of_small: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "SHEET_ROWS_HERE", 2)
    at = page_of_small("export")
    at.session_state["format"] = "xlsx"
    at.run()
    assert any("choose CSV or Parquet" in caption.value for caption in at.caption)
    at.session_state["format"] = "csv"
    at.run()
    assert not any("choose CSV or Parquet" in caption.value for caption in at.caption)


def test_export_page_does_not_query_too_many_rows_but_offers_the_file(
    page_of_small: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LOOKED_AT_MOST", 100)
    at = page_of_small("export", by=["customer", "carrier"], per="week", m=["otif"], period="52W")
    assert not at.exception
    assert "Too many rows to show" in markup(at)
    assert any(caption.value.startswith("up to ") for caption in at.caption)
    assert "Too many rows to show" not in markup(page_of_small("export", by=["segment"], m=["otif"], period="52W"))


def test_table_text_with_formulas_is_escaped_in_csv() -> None:
    batch = pa.RecordBatch.from_pydict({"a": ["=1+1", "plain", None, " \u200b@x"], "n": [-1, 2, 3, 4]})
    assert fact_table._escape_formulas(batch).to_pydict() == {
        "a": ["'=1+1", "plain", None, "' \u200b@x"],
        "n": [-1, 2, 3, 4],
    }


@pytest.mark.parametrize(
    "words", [("--measures", "otif", "--table", "order_facts"), (), ("--table", "order_facts", "--by", "segment")]
)
def test_export_rejects_measures_together_with_a_table(words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    assert run("export", *words, "--format", "csv", "--out", str(tmp_path / "x.csv")) == 2


def test_unknown_table_error_suggests_the_nearest_table(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", "--table", "order_fact", "--format", "csv", "--out", str(tmp_path / "x.csv")) == 64
    assert "order_facts" in capsys.readouterr().err


OLD = sorted(file for file in (Path(__file__).parent / "files").glob("schema-1.*") if "provenance" not in file.name)


@pytest.mark.every_run(".csv")
@pytest.mark.parametrize("file", OLD, ids=lambda file: file.suffix)
def test_n20_a_file_of_the_first_schema_is_still_verified(file: Path, tmp_path: Path) -> None:
    """N20: the files were written before the schema had `unknown` to `currency`, from the same 12 orders."""
    place = Location(folder=tmp_path / "home")
    publish(place, count=12)
    old = read_for_verification(file)
    assert old.columns == ("segment", *answer_table.SCHEMAS[1])
    result = verify(place, old.columns, old.rows, old.provenance)
    assert (result.is_genuine, result.own, result.now) == (True, [], [])
    changed = [(*old.rows[0][:2], 99, *old.rows[0][3:]), *old.rows[1:]]
    assert not verify(place, old.columns, changed, old.provenance).is_genuine
    warehouse.close(place)


def test_n20_an_export_has_unknown_pending_excluded_interval_unit_and_currency(small: Path) -> None:  # noqa: ARG001
    """N20: every column of P9. Pending and excluded rows are those of the measure's own facts in the selection."""
    with warehouse.reading(warehouse.locate()) as connection:
        asked = Question(("otif", "ordered_value", "pending_orders", "excluded_orders"))
        found = answer_table.answer_table(connection, asked)
        table = pd.DataFrame(found.rows, columns=list(found.columns), dtype=object).set_index("measure")
        (otif, *_) = answer(connection, asked)
        assert provenance(connection, asked)["schema"] == answer_table.SCHEMA
    assert tuple(name for name in table.columns if name != "note") == answer_table.COLUMNS[1:]
    row = table.loc["otif"]
    assert (row["unknown"], row["low"], row["high"]) == (otif.unknown, otif.low, otif.high)
    assert (row["pending"], row["excluded"]) == (table["value"]["pending_orders"], table["value"]["excluded_orders"])
    assert (row["unit"], row["currency"]) == ("share", None)
    assert (table["unit"]["ordered_value"], table["currency"]["ordered_value"]) == ("money", "EUR")
