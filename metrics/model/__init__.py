"""Measures, questions and answers: plain data."""
