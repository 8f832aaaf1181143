"""Clean rows into the canonical tables: merge by key, keep what changed, let rows that do not fit to others wait and
go.

Portable SQLAlchemy Core, in the caller's transaction. A row that breaks a rule across rows is tried again in every
later run, and a loaded row whose parent (or whose product's unit) changes is judged again: which of two rows that
contradict each other came first decides nothing. Source: faults, section 1; rules R12, R14, R33, R34.
"""
