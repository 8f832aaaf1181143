"""Mapping files, and the SQL that turns source text into typed columns."""
