"""Bring facts and rollups up to date after a load."""
