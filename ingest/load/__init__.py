"""Load clean rows into the canonical tables.

Merge by key, record changes, and store rows that wait for others. Uses portable SQLAlchemy Core in the caller's
transaction. Every run checks waiting rows again, and rechecks loaded rows whose parent or unit has changed. So the
order in which two contradicting rows arrive does not matter.

Source: R12 (unit conversion), R14 (quantity changes), R33 (duplicates and late records), R34 (impossible dates).
"""
