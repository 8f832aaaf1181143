"""What a mapping names, read into typed staging: files, databases and the mapping's own SQL."""
