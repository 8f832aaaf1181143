"""Validation rules about one row and about several rows."""
