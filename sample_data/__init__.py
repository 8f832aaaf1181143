"""A seeded generator of sample records with planted defects."""

from sample_data.generator import generate

__all__ = ["generate"]
