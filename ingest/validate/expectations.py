"""Run one Great Expectations suite per feed on its staging table. No other module imports the library.

The rules are in row_rules.py.
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from sqlalchemy.pool import StaticPool

from ingest.errors import RunAborted
from ingest.read.staging import staging_table
from ingest.storage.scratch_database import Connection, quoted
from ingest.validate.row_rules import RowRule
from metrics.warehouse.duckdb_session import Session


@dataclass(frozen=True)
class Outcome:
    """Result of a rule on a feed: the number of rows checked, and the staged rows (`rowid`) that break it."""

    rule: RowRule
    rows_checked: int
    broken: tuple[int, ...]


def create_view(connection: Connection, feed: str, suite: Iterable[RowRule]) -> None:
    """Create the view that the suite of a feed runs on: each staged row's number `_row`, and `row_is_valid`.

    Raises RunAborted if a rule names a column that the staged rows lack.
    """
    valid = " AND ".join(f"({rule.condition})" for rule in suite) or "TRUE"
    try:
        connection.execute(
            f"CREATE VIEW {quoted(f'check_{feed}')} AS "
            f"SELECT rowid AS _row, {valid} AS row_is_valid FROM {quoted(staging_table(feed))}"
        )
    except duckdb.Error as error:
        raise RunAborted(f"The validation of {feed} failed: {error}") from error


def validate(
    staging: Connection, suites: dict[str, tuple[RowRule, ...]], staged: dict[str, int]
) -> dict[str, list[Outcome]]:
    """Run the suite of every feed.

    staged: number of staged rows per feed; the library must see the same number. staging: the connection used for
    staging, with all rows committed. Raises RunAborted if an expectation raises.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(False)
        # the configuration accepts a plain mapping
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        source = context.data_sources.add_sql(
            "staging",
            connection_string="duckdb://",
            create_temp_table=False,
            kwargs={  # type: ignore[call-arg]  # a field of the data source that the signature lacks
                # Reuse the open connection: two engines on one file would need equal options. The library closes the
                # connection before it fetches rows, and a rollback would lose them (great_expectations 1.24, issues
                # 11579 and 10738).
                "creator": lambda: Session(staging.cursor(), autocommit=True),
                "poolclass": StaticPool,
            },
        )
        return {
            feed: _run_suite(gx, source, staging, feed, suite, staged[feed])
            for feed, suite in suites.items()
            if staged[feed]
        }


def validate_edits(
    staging: Connection, suites: dict[str, tuple[RowRule, ...]], staged: dict[str, int]
) -> dict[str, list[Outcome]]:
    """Check the same rules for user edits, without the seconds that importing Great Expectations takes."""
    return {
        feed: [
            Outcome(rule, staged[feed], rows)
            for rule, rows in zip(suite, _broken_rows(staging, feed, suite), strict=True)
        ]
        for feed, suite in suites.items()
        if staged[feed]
    }


# Any: objects of Great Expectations, which is imported late and ships few types
def _run_suite(
    gx: Any, source: Any, staging: Connection, feed: str, suite: tuple[RowRule, ...], rows: int
) -> list[Outcome]:
    """Expect every row of a feed to keep all its rules, and look up which rules the other rows break.

    There is one expectation per feed, because the library needs a hundredth of a second for each.
    """
    batch = source.add_table_asset(feed, table_name=f"check_{feed}").add_batch_definition_whole_table(feed).get_batch()
    valid = gx.expectations.ExpectColumnValuesToBeInSet(column="row_is_valid", value_set=[True])
    count = gx.expectations.ExpectTableRowCountToEqual(value=rows)
    result = batch.validate(
        gx.ExpectationSuite(name=feed, expectations=[valid, count]), result_format={"result_format": "BOOLEAN_ONLY"}
    )
    refuse_exceptions(result, feed)
    succeeded = {outcome.expectation_config.type: outcome.success for outcome in result.results}
    if not succeeded[count.expectation_type]:
        raise RunAborted(f"The validation of {feed} did not see the {rows} rows that were staged.")
    if succeeded[valid.expectation_type]:
        return [Outcome(rule, rows, ()) for rule in suite]
    broken = _broken_rows(staging, feed, suite)
    return [Outcome(rule, rows, rows_of_rule) for rule, rows_of_rule in zip(suite, broken, strict=True)]


def _broken_rows(staging: Connection, feed: str, suite: tuple[RowRule, ...]) -> list[tuple[int, ...]]:
    """Return the staged rows that break each rule of a suite, in the order of the rules."""
    conditions = ", ".join(f"({rule.condition})" for rule in suite)
    invalid = staging.execute(
        f"SELECT rowid, {conditions} FROM {quoted(staging_table(feed))} "
        f"WHERE rowid IN (SELECT _row FROM {quoted(f'check_{feed}')} WHERE NOT row_is_valid) ORDER BY rowid"
    ).fetchnumpy()
    row_numbers, *verdicts = invalid.values()
    return [tuple(int(row) for row in row_numbers[np.logical_not(verdict)]) for verdict in verdicts]


# Any: a result of Great Expectations
def refuse_exceptions(result: Any, feed: str) -> None:
    """Raise RunAborted if an expectation raised. Its empty result must not count as success.

    The library returns `exception_info` flat, or keyed by metric.
    """
    for one in result.results:
        info = one.exception_info or {}
        raised = [info] if "raised_exception" in info else [part for part in info.values() if isinstance(part, dict)]
        for part in raised:
            if part.get("raised_exception"):
                what = f"{one.expectation_config.type} on {one.expectation_config.kwargs.get('column')}"
                raise RunAborted(f"The validation of {feed} failed: {what} raised {part.get('exception_message')}.")
