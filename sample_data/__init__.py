"""A seeded generator of sample records with planted defects."""
