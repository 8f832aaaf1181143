"""One Great Expectations suite per feed, run inside the engine on the feed's staging table. The only module that
imports the library.

What is expected is in row_rules.py. Source: faults 3.2.
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from duckdb_sqlalchemy import ConnectionWrapper
from sqlalchemy.pool import StaticPool

from ingest.errors import RunAborted
from ingest.read.staging import staging_table
from ingest.storage.scratch_database import Connection, quoted
from ingest.validate.row_rules import RowRule


@dataclass(frozen=True)
class Outcome:
    """One rule over one feed: how many rows were looked at, and the staged rows (`rowid`) that broke it."""

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
            f"CREATE VIEW {quoted(f'check_{feed}')} AS SELECT rowid AS _row, {valid} AS row_is_valid FROM {quoted(staging_table(feed))}"
        )
    except duckdb.Error as error:
        raise RunAborted(f"Validation of {feed} could not be done: {error}") from error


def validate(
    staging: Connection, suites: dict[str, tuple[RowRule, ...]], staged: dict[str, int]
) -> dict[str, list[Outcome]]:
    """Run every feed's suite. staged: rows staged per feed, which must be the rows the library sees.

    staging: the connection staging was done on, with nothing left uncommitted: the library sees committed rows only.
    Raises RunAborted if an expectation raised.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(False)
        # a plain mapping is what its configuration reads
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        source = context.data_sources.add_sql(
            "staging",
            connection_string="duckdb://",
            create_temp_table=False,
            kwargs={  # type: ignore[call-arg]  # a field of the data source its signature leaves out
                # A cursor of the connection there is: two engines on one file would have to agree on every option.
                "creator": lambda: ConnectionWrapper(staging.cursor()),
                "poolclass": StaticPool,
                # Without these three GX closes the connection before it fetches (great_expectations 1.24, issues 11579
                # and 10738).
                "isolation_level": "AUTOCOMMIT",
                "skip_autocommit_rollback": True,
                "pool_reset_on_return": None,
            },
        )
        return {
            feed: _run_suite(gx, source, staging, feed, suite, staged[feed])
            for feed, suite in suites.items()
            if staged[feed]
        }


def _run_suite(
    gx: Any, source: Any, staging: Connection, feed: str, suite: tuple[RowRule, ...], rows: int
) -> list[Outcome]:
    """Expect every row of a feed to keep all its rules, and look up which rules the other rows break.

    One expectation per feed, not one per rule: the library spends a hundredth of a second on each, however few the rows.
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
        raise RunAborted(f"Validation of {feed} did not see the {rows} rows staged.")
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


def refuse_exceptions(result: Any, feed: str) -> None:
    """Raises RunAborted if any expectation raised: its result is empty then, which must never pass for a good one.

    The library gives `exception_info` flat, or keyed by metric; both shapes are read.
    """
    for one in result.results:
        info = one.exception_info or {}
        raised = [info] if "raised_exception" in info else [part for part in info.values() if isinstance(part, dict)]
        for part in raised:
            if part.get("raised_exception"):
                what = f"{one.expectation_config.type} on {one.expectation_config.kwargs.get('column')}"
                raise RunAborted(
                    f"Validation of {feed} could not be done: {what} raised {part.get('exception_message')}."
                )
