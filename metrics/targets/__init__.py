"""Targets, and the status of an answer against its target."""
