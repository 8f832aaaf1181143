"""Cached reads of the warehouse, pinned to one data version and one row scope.

`cached` calls a function of `metrics` that takes a connection. It keeps the result for the generation (the version of
the data), the scope, the function and its arguments. A page reads one generation through one connection
(`one_generation`), and never mixes two versions. Persons with different scopes never share a result.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st
from sqlalchemy import Connection

from metrics import warehouse
from metrics.access import EVERYTHING, Scope
from metrics.model.question import Answer, Question
from metrics.queries import answer, scope
from metrics.queries.restatements import kept_generations

ANSWERS_KEPT = 1_000
LISTS_KEPT = 200
LARGE_RESULTS_KEPT = 40
KEPT_FOR = "12h"

P = ParamSpec("P")
T = TypeVar("T")

# Streamlit 1.67 warns of each cached function of a module that is imported before the server runs. Commands cache too.
logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(
    lambda record: not record.getMessage().startswith("No runtime found")
)


class _PageRun(threading.local):
    """The generation and scope that a page run reads, and its connection once a question is not in a cache."""

    generation: int | None = None
    scope: Scope | None = None
    stack: ExitStack | None = None
    connection: Connection | None = None


_run = _PageRun()


def current() -> warehouse.Generation | None:
    """Return the newest generation; None before the first one is published."""
    return warehouse.current(warehouse.locate())


def generations() -> list[int]:
    """Return the generations that can be read, the newest first."""
    return kept_generations(warehouse.locate())


@contextmanager
def one_generation(generation: int) -> Iterator[None]:
    """Read everything inside the block from one generation, through one connection that closes at the end."""
    with ExitStack() as stack:
        _run.generation, _run.stack, _run.connection = generation, stack, None
        try:
            yield
        finally:
            _run.generation, _run.stack, _run.connection = None, None, None


@contextmanager
def reading_as(rows: Scope) -> Iterator[None]:
    """Read only the rows of a scope inside the block."""
    before, _run.scope = _run.scope, rows
    try:
        yield
    finally:
        _run.scope = before


def sees_every_row() -> bool:
    """Return True if the person of this page run has no row scope."""
    return not _scope()


def _scope() -> Scope:
    """Return the scope of the page run. Without sign-in, everybody sees every row."""
    if _run.scope is not None:
        return _run.scope
    if os.environ.get("BUYERVIEW_AUTH") in (None, "", "none"):
        return EVERYTHING
    raise RuntimeError("read outside of a page run: name the rows with queries.reading_as")


@contextmanager
def _reading(generation: int) -> Iterator[Connection]:
    """Yield the connection of the page run. A download or the warm-up, which has no page run, opens its own."""
    place, rows = warehouse.locate(), _scope()
    if _run.stack is None or _run.generation != generation:
        with scope.reading(place, rows, generation) as connection:
            yield connection
        return
    if _run.connection is None:
        _run.connection = _run.stack.enter_context(scope.reading(place, rows, generation))
    yield _run.connection


def read(function: Callable[Concatenate[Connection, P], T], generation: int, /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function with a connection to a generation. The result is not cached: for files, which may be large."""
    with _reading(generation) as connection:
        return function(connection, *args, **kwargs)


def cached(
    function: Callable[Concatenate[Connection, P], T], generation: int, /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call a function with a connection to a generation, or return its cached result."""
    result: T = _cached_list(function, generation, _scope(), args, kwargs)
    return result


def shared(
    function: Callable[Concatenate[Connection, P], T], generation: int, /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call a function as `cached` does, in a cache of fewer entries that returns the same object: for large results.

    Callers must not change the result. `cached` copies its results, which took half a second for 36,000 levers.
    """
    result: T = _shared(function, generation, _scope(), args, kwargs)
    return result


def answers(generation: int, question: Question) -> list[Answer]:
    """Return the answers to a question, one per dimension values, period and measure."""
    found: list[Answer] = _cached_answers(generation, _scope(), question)
    return found


# The argument `_rows` would not be part of the key: Streamlit leaves out arguments that begin with an underscore.
@st.cache_data(show_spinner=False, max_entries=ANSWERS_KEPT, ttl=KEPT_FOR)
def _cached_answers(generation: int, rows: Scope, question: Question) -> list[Answer]:
    with reading_as(rows):
        return read(answer.answer, generation, question)


def _qualified_name(function: FunctionType) -> str:
    """Return the name that separates the cache entries of a function from those of all others."""
    if "<" in function.__qualname__:
        raise ValueError(f"{function.__qualname__} has no unique name. Cache a function that a module defines.")
    return f"{function.__module__}.{function.__qualname__}"


# Any: `cached` and `shared` check the arguments and the result.
@st.cache_data(show_spinner=False, max_entries=LISTS_KEPT, ttl=KEPT_FOR, hash_funcs={FunctionType: _qualified_name})
def _cached_list(
    function: Callable[..., Any], generation: int, rows: Scope, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with reading_as(rows):
        return read(function, generation, *args, **kwargs)


@st.cache_resource(
    show_spinner=False, max_entries=LARGE_RESULTS_KEPT, ttl=KEPT_FOR, hash_funcs={FunctionType: _qualified_name}
)
def _shared(
    function: Callable[..., Any], generation: int, rows: Scope, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with reading_as(rows):
        return read(function, generation, *args, **kwargs)
