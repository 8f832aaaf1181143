"""State, ledger, report and history of ingest runs."""
