"""Read files, databases and the mapping's own SQL into typed staging tables."""
