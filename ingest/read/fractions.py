"""Factors given as fractions: fill `factor` from numerator and denominator. R12 (unit conversion)."""

from ingest.read.source_objects import Reading
from ingest.read.staging import staging_table
from ingest.storage.scratch_database import quoted


def stage_fractions(reading: Reading) -> None:
    """Fill `factor` of each row with a numerator, for display. The conversion uses the exact fraction."""
    reading.connection.execute(
        f"UPDATE {quoted(staging_table('unit_factors'))} SET denominator = coalesce(denominator, 1), factor = "
        "TRY_CAST(round(numerator::DOUBLE / nullif(coalesce(denominator, 1), 0)::DOUBLE, 8) AS DECIMAL(18,8)) "
        "WHERE numerator IS NOT NULL"
    )
