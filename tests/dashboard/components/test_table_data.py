"""Files of tables have exact values under canonical names."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape

from dashboard.components import formatting, tables
from dashboard.components.formatting import Shown
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, list_file
from metrics.model.measure import Unit


def data(markup: str) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = json.loads(unescape(markup.split('data-table="')[1].split('"')[0]))
    return found


def test_a_file_of_a_table_has_exact_values_and_names_of_columns() -> None:
    share = 2 / 3
    row = [
        Cell("North <b>", small="=1+1"),
        Cell(formatting.number(share, Unit.SHARE), markup=f"<a href='x'>{formatting.number(share, Unit.SHARE)}</a>"),
        Cell(formatting.number(7.25, Unit.DAYS)),
        Cell(formatting.money(Decimal("1234.5"), "EUR")),
        formatting.day(date(2026, 3, 3)),
        Cell(formatting.DASH),
        Cell(markup='<span>2<span class="bv-said">, off target</span></span><br>of&nbsp;3'),
        formatting.duration(90),
        Cell("+1"),
    ]
    heads = ("Region", Shown("On time", "on_time"), "Median", "Value", "Due", "95% interval", "Note", "Age", "")
    found = data(tables.table(heads, [row, row], caption="Regions"))
    assert found["columns"] == [
        "region", "on_time", "median_days", "value", "due", "95_percent_interval", "note", "age_seconds", "",
        "region_note",
    ]  # fmt: skip
    expected = ["North <b>", repr(share), "7.25", "1234.50 EUR", "2026-03-03", "", "2 of 3", "90", "'+1", "'=1+1"]
    assert found["rows"] == [expected, expected]


def test_fields_of_a_cell_are_columns_of_the_file_in_place_of_its_small_text() -> None:
    named = Cell("Ann", small="C1, segment A", fields=(("customer_id", "=C1"), ("segment", "A")))
    found = data(tables.table(("Customer", "Lines"), [[named, Cell("1", small="of 2")], ["C2", "3"]], caption="Lines"))
    assert found["columns"] == ["customer", "lines", "customer_id", "segment", "lines_note"]
    assert found["rows"] == [["Ann", "1", "'=C1", "A", "of 2"], ["C2", "3", "", "", ""]]


def test_rows_that_are_not_shown_are_in_the_file() -> None:
    rows = [[f"P{at}", formatting.integer(at * 1000)] for at in range(40)]
    markup = tables.table(("Product", "Lines"), rows, caption="Products", shown=30)
    assert markup.count("<tr>") == 1 + 30
    assert data(markup)["rows"][39] == ["P39", "39000"]


def test_a_file_of_a_list_has_every_column_as_stored() -> None:
    rows = [{"order_id": "=A1", "due_at": datetime(2026, 3, 3, 9), "amount": Decimal("10.50"), "before": {"a": 1}}]
    assert list(csv.reader(io.StringIO(list_file.csv_file(rows).decode()))) == [
        ["order_id", "due_at", "amount", "before"],
        ["'=A1", "2026-03-03T09:00:00Z", "10.50", '{"a": 1}'],
    ]
    assert list_file.csv_file([{"at": datetime(2026, 3, 3, tzinfo=UTC)}]).endswith(b"2026-03-03T00:00:00+00:00\r\n")


def test_a_file_of_a_chart_leaves_out_what_only_draws_it() -> None:
    spec = {"datasets": {"rows": [{"name": "=late", "end": 3.5, "colour": "#fff", "label": "3.5"}], "bars": []}}
    assert chart_download.data_file(spec).decode() == "name,end\r\n'=late,3.5\r\n"
