"""`buyerview init` on a database: Northwind, where it may not map employees to invoices or states to shipments."""

from pathlib import Path

import duckdb
import psycopg
import pytest

from ingest.inference.database import VARIABLE, find_database_tables
from ingest.inference.proposal import Proposal
from ingest.inference.propose import propose
from ingest.inference.stand_ins import REQUESTED_AS_PROMISED, SHIPPED_AS_RECEIVED
from ingest.inference.tables import Search
from ingest.inference.writing import mapping_text
from ingest.pipeline import run
from ingest.read.reader_process import ReaderProcess
from ingest.storage.scratch_database import scratch
from metrics.queries.answer import Question, answer
from metrics.warehouse import Location, reading
from tests.ingest.inference.counting import counted
from tests.ingest.mapping.test_examples import data
from tests.support.postgres import plain

LINES = {"order_id": "order_id", "line_no": "line_no", "product_id": "product_id"}
TRUTH = {
    "orders": {
        "order_id": "order_id", "customer_id": "customer_id", "ordered_at": "order_date",
        "requested_by": "required_date",
    },
    "order_lines": {**LINES, "ordered_qty": "quantity"},
    "shipments": {"shipment_id": "order_id", "shipped_at": "shipped_date", "freight_amount": "freight"},
    "shipment_lines": {
        **LINES, "shipment_id": "order_id", "shipment_line_no": "line_no", "shipped_qty": "quantity",
    },
    "customers": {"customer_id": "customer_id", "name": "company_name", "region": "region", "city": "city"},
    "products": {"product_id": "product_id", "name": "product_name"},
}  # fmt: skip


@pytest.mark.long
@pytest.mark.postgres
def test_northwind_is_mapped_after_questions_about_receipts_and_can_be_loaded(
    tmp_path: Path, location: Location, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (data("northwind") / "northwind.sql").read_text(encoding="utf-8")
    with psycopg.connect(plain(postgres_database)) as database:
        database.execute(script.encode())
    monkeypatch.setenv(VARIABLE, postgres_database)
    with scratch() as place:
        search = Search(place.connect(), tmp_path, ReaderProcess(tmp_path))
        find_database_tables(search, f"env:{VARIABLE}")
        asked, answers = [], {"receipt": SHIPPED_AS_RECEIVED}
        while True:
            proposal: Proposal = propose(search.connection, search, answers, source="nw", time_zone="UTC")
            new = {question.key: question.best for question in proposal.questions}
            asked += list(new)
            if not new:
                break
            answers |= new
        search.connection.close()
    assert asked == ["shipped quantity", "promise"]
    truth = {**TRUTH, "shipments": {**TRUTH["shipments"], "received_at": "shipped_date"}}
    assert counted(proposal, truth).wrong == []
    assert counted(proposal, truth).share_right == 1
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(mapping_text(proposal), encoding="utf-8")
    assert postgres_database not in mapping.read_text(encoding="utf-8")
    report = run(mapping, location=location)
    assert report.checks_failed == 0
    with reading(location) as connection:
        (ordered,) = answer(connection, Question(measures=("ordered_units",)))
    assert ordered.numerator == 51317


def test_tables_of_another_schema_are_read_and_the_requested_date_stands_in_if_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both columns of line numbers have the same values: the name tells which is the line of the order."""
    with duckdb.connect(str(tmp_path / "records.duckdb")) as database:
        database.execute(
            "create schema erp; create table notes as select 'call Anna' as note;"
            "create table erp.orders as select 'O' || i as order_id, 'C1' as customer_id,"
            " date '2026-03-01' + i::int as order_date, date '2026-03-10' + i::int as requested_date"
            " from range(9) t(i);"
            "create table erp.order_lines as select order_id, j * 10 as line_no, 'P' || j as sku, 5 as quantity"
            " from erp.orders, range(1, 3) t(j);"
            "create table erp.shipments as select 'D' || order_id as shipment_id, order_date + 5 as shipped_date,"
            " order_date + 7 as delivered_at from erp.orders;"
            "create table erp.shipment_lines as select 'D' || order_id as shipment_id, line_no, order_id,"
            " line_no as order_line_no, quantity from erp.order_lines"
        )
    monkeypatch.setenv(VARIABLE, f"duckdb:///{tmp_path / 'records.duckdb'}")
    with scratch() as place:
        search = Search(place.connect(), tmp_path, ReaderProcess(tmp_path))
        find_database_tables(search, f"env:{VARIABLE}")
        first = propose(search.connection, search, {}, source="erp", time_zone="UTC")
        answered = {"promise": REQUESTED_AS_PROMISED}
        second = propose(search.connection, search, answered, source="erp", time_zone="UTC")
        search.connection.close()
    assert [question.key for question in first.questions] == ["promise"]
    assert list(first.lacking()) == []
    assert "promised_by" not in first.feeds["orders"].columns
    assert first.feeds["shipment_lines"].columns["line_no"].source == "order_line_no"
    assert second.feeds["orders"].columns["promised_by"].settings == {"stands_in_for": "requested date"}
    assert str(second.feeds["orders"].origin["query"]).endswith("from erp.orders order by order_id")
    assert second.unused == {"notes": "its columns are not those of a feed"}
