"""Source records to canonical tables: read, map, validate, quarantine, merge, publish."""
