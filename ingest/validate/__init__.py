"""Validation rules of one row and of several rows."""
