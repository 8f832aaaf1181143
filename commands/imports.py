"""Skip imports that a command does not need."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_pandas() -> Iterator[None]:
    """Hide pandas from DuckDB, which otherwise imports it with the first parameter of a statement, in half a second.

    DuckDB only looks for missing values of pandas, which no statement of ours has.
    """
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # the documented way to block an import
    try:
        yield
    finally:
        del sys.modules["pandas"]
