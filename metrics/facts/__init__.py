"""Fact tables, one file per table, in the order given by registry.py."""
