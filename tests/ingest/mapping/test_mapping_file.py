"""A wrong mapping file gets a complete list of errors, each with its place and its remedy."""

from datetime import datetime
from pathlib import Path

import pytest

from ingest.errors import MappingRefused
from ingest.mapping.mapping_file import load_mapping
from tests.ingest.files import Source

GOOD = (Path(__file__).parents[3] / "sample_data" / "mapping.toml").read_text(encoding="utf-8")


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingRefused) as refused:
        load_mapping(path)
    assert refused.value.file == "mapping.toml"
    return refused.value.problems


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            'promised_by = "conf_date"',
            'promise_by = "conf_date"',
            'orders.columns.promise_by: unknown column; did you mean "promised_by"?',
        ),
        ("[invoices]", "[invoice]", '[invoice]: unknown feed; did you mean "invoices"?'),
        ('read = "orders*.csv"', 'raed = "orders*.csv"', 'orders.raed: unknown key; did you mean "read"?'),
        ('read = "orders*.csv"', 'read = "/etc/orders.csv"', "leaves the data folder"),
        ('read = "orders*.csv"', 'read = "../orders.csv"', "leaves the data folder"),
        ('read = "orders*.csv"', 'read = "orders.doc"', "has no known ending"),
        ('read = "orders*.csv"', 'read = "orders*.csv"\nskip_rows = 1\nheader_row = 2', "say the same"),
        ('{ from = "unit_cost", decimal = "," }', '{ from = "unit_cost", day = true }', "only moments take it"),
        ('read = "orders*.csv"', 'connection = "postgresql://u:secret@h/d"\nquery = "select 1"', 'write "env:NAME"'),
        (
            'read = "orders*.csv"',
            'read = "orders.csv"\nselect = "select 1"',
            "write exactly one of read, connection, select",
        ),
        ('order_id = "order_no"\ncustomer_id', "customer_id", "orders.columns.order_id: must be mapped"),
        ("Europe/Berlin", "Europe/Berlim", "is not an IANA time zone"),
        ("2026-06-30T18:00:00Z", "yesterday", "is not an ISO date-time"),
        (
            '{ from = "unit_cost", decimal = "," }',
            '{ from = "unit_cost", value = "1" }',
            "write exactly one of from, value, sql",
        ),
        (
            '{ from = "unit_cost", decimal = "," }',
            '{ from = "unit_cost", decimal = ";" }',
            "products.columns.unit_cost_amount.decimal",
        ),
        ("[source]", "[source", "not valid TOML"),
    ],
)
def test_mapping_error_names_the_key_and_the_correction(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert right in GOOD
    found = problems(tmp_path, GOOD.replace(right, wrong, 1))
    assert any(message in one for one in found), found


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('promised_by = "conf_date"', 'promise_by = "conf_date"').replace("Europe/Berlin", "Berlin")
    assert len(problems(tmp_path, text)) >= 2


def test_the_four_core_feeds_are_needed(tmp_path: Path) -> None:
    found = problems(tmp_path, '[source]\nname = "x"\ntime_zone = "UTC"\n')
    assert [one.split("]")[0] for one in found] == ["[orders", "[order_lines", "[shipments", "[shipment_lines"]


def test_missing_mapping_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MappingRefused, match="file not found"):
        load_mapping(tmp_path / "none.toml")


def test_error_names_the_unset_environment_variable_of_a_connection(source: Source) -> None:
    source.origin["orders"] = 'connection = "env:NO_SUCH_URL"\nquery = "select 1"'
    with pytest.raises(MappingRefused, match=r"orders\.connection: the environment variable NO_SUCH_URL is not set"):
        source.take_in()


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("2026-04-30", datetime(2026, 4, 30, 21, 59, 59, 999999)),
        ("2026-04-30T00:00:00", datetime(2026, 4, 29, 22)),
        ("2026-04-30T12:00:00Z", datetime(2026, 4, 30, 12)),
    ],
)
def test_data_as_of_given_as_a_date_means_the_end_of_that_day(source: Source, written: str, end: datetime) -> None:
    for quote in ('"', "") if len(written) == 10 else ('"',):
        source.head = f"data_as_of = {quote}{written}{quote}"
        assert load_mapping(source.mapping()).data_as_of == end
