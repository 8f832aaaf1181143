"""Propose a mapping for files and databases that Buyerview has not seen: read samples, match names, prove by values."""
