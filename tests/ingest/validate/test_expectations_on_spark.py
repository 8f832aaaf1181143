"""Great Expectations on Spark's engine judges the rows of a lake by the rules of ingest."""

from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlalchemy import make_url

from benchmarks.cluster import Cluster
from ingest.validate.expectations import valid_on_spark
from ingest.validate.row_rules import rules_of_values
from metrics.facts.arrow_batches import batches
from metrics.schema import FEEDS
from metrics.warehouse import Location, reading

NOW = datetime(2026, 7, 1, 6)


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.timeout(600)
def test_spark_finds_a_row_that_breaks_a_rule(sample: Location, spark_cluster: Cluster, tmp_path: Path) -> None:
    suites, files, rows = {}, {}, 0
    with reading(sample) as connection:
        for name, feed in FEEDS.items():
            stored = pa.Table.from_batches(list(batches(connection, feed.table)))
            suites[name] = rules_of_values(name, list(feed.table.c.keys()), latest_event=NOW, time_zone="UTC")
            files[name] = [str(tmp_path / f"{name}.parquet")]
            pq.write_table(stored, files[name][0])
            rows += stored.num_rows
    loaned = pq.read_table(files["orders"][0])
    kinds = pc.if_else(pc.equal(loaned["order_id"], loaned["order_id"][0]), "loan", loaned["order_type"])
    pq.write_table(loaned.set_column(loaned.column_names.index("order_type"), "order_type", kinds), tmp_path / "loaned")
    wrong = {**files, "orders": [str(tmp_path / "loaned")]}
    # Another process, because this one may have imported Great Expectations without Spark.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        for listed, valid in ((files, True), (wrong, False)):
            judged = process.submit(valid_on_spark, make_url(spark_cluster.url), listed, suites, rows)
            assert judged.result() is valid
