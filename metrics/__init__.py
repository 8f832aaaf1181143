"""Canonical tables to numbers: the data model, the warehouse, verdicts, measures and every SELECT that answers a
question.
"""
