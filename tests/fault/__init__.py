"""Faults: processes killed at every step, torn reads, two writers, damaged files."""
