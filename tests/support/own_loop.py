"""Run coroutines in tests."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(ask: Callable[[], Coroutine[Any, Any, T]], *, seconds: float = 30) -> T:
    """Run a coroutine in its own thread. An earlier browser test may have left a running loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(ask())).result(seconds)
