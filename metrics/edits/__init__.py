"""Edits of assumptions, packages and targets."""
