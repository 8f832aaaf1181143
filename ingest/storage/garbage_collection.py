"""Garbage collection during a run."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 1_000_000
"""Number of new objects that starts a garbage collection."""


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Collect garbage seldom during a run.

    SQLAlchemy's statements and the imports of Great Expectations are millions of objects, which each collection would
    visit, and hardly any of them is garbage.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
