"""State, run ledger, report and history of ingest runs."""
