"""Files of a small next run, derived from a large one: 1 % new orders with all their records, 0.1 % corrected orders.

Every hundredth order is repeated under a new number, with its lines, consignments and invoices. Every thousandth order
is repeated with a later change date and another remark. All other feeds keep their files.
"""

import shutil
from pathlib import Path

import duckdb

ONE_IN_NEW = 100
ONE_IN_CORRECTED = 1000
CORE = ("orders", "order_lines", "shipments", "shipment_lines", "invoices", "invoice_lines")
CHANGED_AT = "2026-06-30T17:45:00Z"


def write(source: Path, target: Path) -> Path:
    """Write the small run of the sample in folder `source` to folder `target`. Return the mapping file there."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.stem.removesuffix("_2") not in CORE:
            shutil.copyfile(path, target / path.name)
    with duckdb.connect(":memory:") as connection:
        for feed in CORE:
            connection.execute(
                f"CREATE VIEW {feed} AS SELECT * FROM read_csv('{source}/{feed}.csv', header = true, "
                "all_varchar = true, ignore_errors = true)"
            )
        connection.execute(
            "CREATE TABLE numbered AS SELECT *, row_number() OVER (ORDER BY order_no, changed_at) AS n FROM orders"
        )
        connection.execute(
            "CREATE TABLE chosen AS SELECT DISTINCT order_no FROM numbered "
            f"WHERE n % {ONE_IN_NEW} = 0 AND order_no IS NOT NULL"
        )
        own = "order_no IN (FROM chosen)"
        new = "REPLACE (order_no || '-N' AS order_no)"
        selects = {
            "orders": f"SELECT * EXCLUDE (n) {new} FROM numbered WHERE {own} UNION ALL "
            f"SELECT * EXCLUDE (n) REPLACE ('corrected' AS remarks, '{CHANGED_AT}' AS changed_at) "
            f"FROM numbered WHERE n % {ONE_IN_CORRECTED} = 1",
            "order_lines": f"SELECT * {new} FROM order_lines WHERE {own}",
            "shipments": "SELECT * REPLACE (delivery_no || '-N' AS delivery_no) FROM shipments "
            f"WHERE delivery_no IN (SELECT delivery_no FROM shipment_lines WHERE {own})",
            "shipment_lines": "SELECT * REPLACE (order_no || '-N' AS order_no, delivery_no || '-N' AS delivery_no) "
            f"FROM shipment_lines WHERE {own}",
            "invoices": "SELECT * REPLACE (doc_no || '-N' AS doc_no, reverses || '-N' AS reverses) FROM invoices "
            f"WHERE doc_no IN (SELECT doc_no FROM invoice_lines WHERE {own})",
            "invoice_lines": "SELECT * REPLACE (order_no || '-N' AS order_no, doc_no || '-N' AS doc_no) "
            f"FROM invoice_lines WHERE {own}",
        }
        for feed, select in selects.items():
            connection.execute(f"COPY ({select} ORDER BY ALL) TO '{target}/{feed}.csv' (FORMAT csv, HEADER)")
    return target / "mapping.toml"
