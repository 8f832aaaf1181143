"""Speed measurements. Every figure is a ratio of two measurements in the same run. Source: docs/speed.md."""
