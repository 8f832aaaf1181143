"""Records that a run rejected."""
