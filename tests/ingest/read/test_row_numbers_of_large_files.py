"""Row numbers match the file even if several threads read it. A join in the reading query would shuffle them."""

from pathlib import Path

import pytest
from sqlalchemy import select

from ingest.pipeline import run
from metrics.schema import quarantine
from metrics.warehouse import Location, reading

ROWS, BROKEN = 400_000, 390_001


@pytest.mark.long
def test_broken_record_deep_in_a_large_file_has_the_correct_row_number(tmp_path: Path) -> None:
    filler = "x" * 20
    rows = (f"{'' if number == BROKEN else f'C{number}'},{filler},no" for number in range(1, ROWS + 1))
    (tmp_path / "customers.csv").write_text("id,name,gone\n" + "\n".join(rows) + "\n")
    for feed, columns in CORE.items():
        (tmp_path / f"{feed}.csv").write_text(",".join(columns) + "\n")
    mapping = ['[source]\nname = "large"\ntime_zone = "UTC"\n']
    for feed, columns in CORE.items():
        mapping.append(
            f'[{feed}]\nread = "{feed}.csv"\n[{feed}.columns]\n'
            + "".join(f'{column} = "{column}"\n' for column in columns)
        )
    mapping.append(
        '[customers]\nread = "customers.csv"\n'
        '[customers.columns]\ncustomer_id = "id"\nname = "name"\ndeleted = "gone"\n'
    )
    (tmp_path / "mapping.toml").write_text("\n".join(mapping))
    place = Location(folder=tmp_path / "home")
    run(tmp_path / "mapping.toml", location=place)
    with reading(place) as connection:
        assert connection.execute(select(quarantine.c.feed, quarantine.c.row_no)).all() == [("customers", BROKEN)]


CORE = {
    "orders": ("order_id", "customer_id", "ordered_at"),
    "order_lines": ("order_id", "line_no", "ordered_qty"),
    "shipments": ("shipment_id", "received_at"),
    "shipment_lines": ("shipment_id", "shipment_line_no", "order_id", "line_no", "shipped_qty"),
}
