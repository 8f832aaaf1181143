"""Judge the staged rows by the rules of their feeds, and let Great Expectations validate the verdicts.

No other module imports the library. The rules are in row_rules.py.
"""

import copy
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import duckdb
import numpy as np
from sqlalchemy import URL
from sqlalchemy.pool import StaticPool

from ingest.errors import RunAborted
from ingest.read.staging import staging_table
from ingest.storage.scratch_database import Connection, quoted, sql_literal
from ingest.validate.row_rules import RowRule
from metrics.warehouse.duckdb_session import Session

FULL_MATCH = (
    "CREATE OR REPLACE TEMPORARY FUNCTION regexp_full_match(value STRING, pattern STRING) RETURNS BOOLEAN "
    "RETURN value RLIKE concat('^(', pattern, ')$')"
)
"""DuckDB's function of that name, for Spark."""


@dataclass(frozen=True)
class Outcome:
    """Result of a rule on a feed: the number of rows checked, and the staged rows (`rowid`) that break it."""

    rule: RowRule
    rows_checked: int
    broken: tuple[int, ...]


def judge_rows(connection: Connection, suites: dict[str, tuple[RowRule, ...]]) -> None:
    """Create the table `row_verdicts`: each staged row of each feed, and whether it keeps all rules of the feed.

    Raises RunAborted if a rule names a column that the staged rows lack.
    """
    connection.execute("CREATE TABLE row_verdicts (feed VARCHAR, row BIGINT, row_is_valid BOOLEAN)")
    for feed, suite in suites.items():
        try:
            connection.execute(
                f"INSERT INTO row_verdicts SELECT {sql_literal(feed)}, rowid, {_valid(suite)} "
                f"FROM {quoted(staging_table(feed))}"
            )
        except duckdb.Error as error:
            raise RunAborted(f"The validation of {feed} failed: {error}") from error


def _valid(suite: Sequence[RowRule]) -> str:
    """Return the SQL condition that a row keeps all rules of a suite."""
    return " AND ".join(f"({rule.condition})" for rule in suite) or "TRUE"


def validate(
    staging: Connection, suites: dict[str, tuple[RowRule, ...]], staged: dict[str, int]
) -> dict[str, list[Outcome]]:
    """Expect that all rows keep all rules, and look up which rules the other rows break.

    There is one expectation for all feeds, because the library needs a twentieth of a second for each.
    staged: number of staged rows per feed; the library must see as many. staging: the connection used for staging, with
    `row_verdicts` committed. Raises RunAborted if an expectation raises.
    """
    rows = sum(staged.values())
    if rows and not _all_valid(lambda gx: _validate_verdicts(gx, staging, rows), rows):
        return validate_edits(staging, suites, staged)
    return {feed: [Outcome(rule, staged[feed], ()) for rule in suite] for feed, suite in suites.items() if staged[feed]}


def validate_edits(
    staging: Connection, suites: dict[str, tuple[RowRule, ...]], staged: dict[str, int]
) -> dict[str, list[Outcome]]:
    """Look up which rules the staged rows break. User edits go without the seconds of importing Great Expectations."""
    found = staging.execute("SELECT DISTINCT feed FROM row_verdicts WHERE NOT row_is_valid").fetchall()
    invalid = {feed for (feed,) in found}
    outcomes = {}
    for feed, suite in suites.items():
        broken = _broken_rows(staging, feed, suite) if feed in invalid else [()] * len(suite)
        if staged[feed]:
            outcomes[feed] = [Outcome(rule, staged[feed], rows) for rule, rows in zip(suite, broken, strict=True)]
    return outcomes


def _all_valid(validated: Callable[[Any], Any], rows: int) -> bool:
    """Return whether Great Expectations finds all rows valid. It must find `rows` rows.

    validated: validates them with the library.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = validated(_library())
    refuse_exceptions(result)
    succeeded = {outcome.expectation_config.type: outcome.success for outcome in result.results}
    if not succeeded["expect_table_row_count_to_equal"]:
        raise RunAborted(f"The validation did not see the {rows} rows that were staged.")
    return bool(succeeded["expect_column_values_to_be_in_set"])


def _library() -> Any:
    """Import Great Expectations without scipy, Altair and Spark, which take a third of the time.

    Only expectations about distributions use scipy and Altair. Spark is blocked, because it looks for scipy by itself.
    Another third goes into deep copies of inherited fields, so shallow copies replace them during the import.
    """
    unused = {name: ModuleType(name) for name in ("altair", "scipy", "scipy.stats") if name not in sys.modules}
    for name, stand_in in unused.items():
        stand_in.__spec__ = ModuleSpec(name, None)  # without one, `importlib.util.find_spec` raises ValueError
        stand_in.__getattr__ = lambda _: object  # type: ignore[method-assign]  # names in annotations
    blocked = {"pyspark": None} if "pyspark" not in sys.modules else {}
    sys.modules.update({**unused, **blocked})  # type: ignore[dict-item]  # the documented way to block an import
    models = vars(importlib.import_module("pydantic.v1.main"))
    deep_copy = models["smart_deepcopy"]
    models["smart_deepcopy"] = _copied_fields
    try:
        return importlib.import_module("great_expectations")
    finally:
        models["smart_deepcopy"] = deep_copy
        for name in (*unused, *blocked):
            del sys.modules[name]


# Any: fields of pydantic's models by name
def _copied_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Copy the fields that a model inherits, and what the model may change in them: validators and settings."""
    copied = {name: copy.copy(field) for name, field in fields.items()}
    for field in copied.values():
        field.class_validators = dict(field.class_validators)
        field.field_info = copy.copy(field.field_info)
    return copied


# Any: objects of Great Expectations, which is imported late and ships few types
def _context(gx: Any) -> Any:
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    return context


def _validate_verdicts(gx: Any, staging: Connection, rows: int) -> Any:
    """Validate the table `row_verdicts`: every row is valid, and there are `rows` rows."""
    source = _context(gx).data_sources.add_sql(
        "staging",
        connection_string="duckdb://",
        create_temp_table=False,
        kwargs={
            # Reuse the open connection: two engines on one file would need equal options. The library closes the
            # connection before it fetches rows, and a rollback would lose them (great_expectations 1.24, issues 11579
            # and 10738).
            "creator": lambda: Session(staging.cursor(), autocommit=True),
            "poolclass": StaticPool,
        },
    )
    asset = source.add_table_asset("rows", table_name="row_verdicts")
    return _validated(gx, asset.add_batch_definition_whole_table("rows").get_batch(), rows)


def _validated(gx: Any, batch: Any, rows: int) -> Any:
    """Validate a batch with the column `row_is_valid`: every row is valid, and there are `rows` rows."""
    expected = [
        gx.expectations.ExpectColumnValuesToBeInSet(column="row_is_valid", value_set=[True]),
        gx.expectations.ExpectTableRowCountToEqual(value=rows),
    ]
    return batch.validate(gx.ExpectationSuite(name="rows", expectations=expected), result_format="BOOLEAN_ONLY")


def valid_on_spark(
    url: URL, files: Mapping[str, Sequence[str]], suites: Mapping[str, tuple[RowRule, ...]], rows: int
) -> bool:
    """Return whether Great Expectations, with Spark's engine, finds all rows of a lake valid. It must find `rows` rows.

    files: Parquet files of each feed. Raises RunAborted if an expectation raises, and BuildFailed if Spark fails.
    """
    from metrics.rebuild.spark_facts import connected  # the client is an optional dependency
    from metrics.warehouse.spark_dialect import session_of

    with connected(url, "", files) as connection, session_of(connection).limited():
        session = session_of(connection)
        session.spark.sql(FULL_MATCH)
        verdicts = session.query(
            " UNION ALL ".join(
                f"SELECT {_valid(suite)} AS row_is_valid FROM {quoted(feed)}" for feed, suite in suites.items()
            )
        )
        # The library then uses the functions of Spark Connect.
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
        return _all_valid(lambda gx: _validated(gx, _batch_of_spark(gx, verdicts), rows), rows)


def _batch_of_spark(gx: Any, verdicts: Any) -> Any:
    source = _context(gx).data_sources.add_spark("lake", persist=False)
    batch = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("rows")
    return batch.get_batch(batch_parameters={"dataframe": verdicts})


def _broken_rows(staging: Connection, feed: str, suite: tuple[RowRule, ...]) -> list[tuple[int, ...]]:
    """Return the staged rows that break each rule of a suite, in the order of the rules."""
    conditions = ", ".join(f"({rule.condition})" for rule in suite)
    invalid = staging.execute(
        f"SELECT rowid, {conditions} FROM {quoted(staging_table(feed))} WHERE rowid IN "
        f"(SELECT row FROM row_verdicts WHERE feed = {sql_literal(feed)} AND NOT row_is_valid) ORDER BY rowid"
    ).fetchnumpy()
    row_numbers, *verdicts = invalid.values()
    return [tuple(int(row) for row in row_numbers[np.logical_not(verdict)]) for verdict in verdicts]


# Any: a result of Great Expectations
def refuse_exceptions(result: Any) -> None:
    """Raise RunAborted if an expectation raised. Its empty result must not count as success.

    The library returns `exception_info` flat, or keyed by metric.
    """
    for one in result.results:
        info = one.exception_info or {}
        raised = [info] if "raised_exception" in info else [part for part in info.values() if isinstance(part, dict)]
        for part in raised:
            if part.get("raised_exception"):
                what = f"{one.expectation_config.type} on {one.expectation_config.kwargs.get('column')}"
                raise RunAborted(f"The validation failed: {what} raised {part.get('exception_message')}.")
