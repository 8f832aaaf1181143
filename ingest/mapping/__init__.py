"""Mapping files, and the SQL that converts source text to typed columns."""
