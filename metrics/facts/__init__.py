"""Fact tables: derived data that measures and lists read. One file per table, in the build order of registry.py.

Read fact_table.py first. It explains the concepts and how to add a table.
"""
