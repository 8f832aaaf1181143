"""Faults: processes killed at every step, torn reads, two writers, damaged files. Source: faults, section 4.A."""
