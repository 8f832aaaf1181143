"""SQL helpers with the same meaning on every engine. They contain no measure."""
