"""SQL that means the same on every engine. Knows no measure."""
