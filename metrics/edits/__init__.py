"""User edits of assumptions, zone cuts, service packages and targets."""
