"""The staging database of a run, and ingest's own tables."""
