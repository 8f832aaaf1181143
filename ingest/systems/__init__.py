"""Mappings of known systems, recognised by the columns of their tables. docs/systems.md describes each."""
