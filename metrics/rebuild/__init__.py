"""Update facts and rollups after a load."""
