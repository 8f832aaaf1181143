"""Answers to questions over the catalogue."""
