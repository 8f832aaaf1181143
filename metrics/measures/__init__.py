"""Measures, one module per business question, and the catalogue of all."""
