"""Bring your data: the kept sources on disk, and the child processes that read them."""
