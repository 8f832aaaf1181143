"""The access of the person at the browser. It is looked up for every click, so that a change counts at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar
from urllib.parse import unquote

import streamlit as st

from dashboard import queries
from dashboard.sign_in import Mode, read_settings
from metrics.access import Access, Action, Role
from metrics.errors import AccessDenied, AccessEnded, BuyerviewError, SettingRefused
from metrics.store import access
from metrics.store.connection import open_store
from metrics.warehouse import locate

LOCAL = "local user"
"""The person of a server without sign-in."""
FRESH_SECONDS = 0.25
"""Longest time for which a page run and the gate share one look-up: less than the time between two clicks."""

P = ParamSpec("P")
T = TypeVar("T")

_recent: dict[tuple[str, str], tuple[float, Access | None]] = {}
"""The last look-up of each person and sign-in, and its time."""


_acting: list[Access] = []
"""The person for whom this process draws pages. Only a process that serves nobody sets it."""


@contextmanager
def acting(person: Access | None) -> Iterator[None]:
    """Draw pages inside the block for a person, without a sign-in. None: for the local administrator."""
    _acting.append(person or Access(LOCAL, Role.VIEWER))
    try:
        yield
    finally:
        _acting.pop()


def look_up(person: str, session: str) -> Access | None:
    """Return the access of a person; None if there is none, or if the sign-in has ended."""
    began = time.monotonic()
    at, found = _recent.get((person, session), (0.0, None))
    if at and began - at < FRESH_SECONDS:
        return found
    try:
        with open_store(locate(), write=False) as store:
            found = access.access_of(store, person, session)
    except SettingRefused:  # a name that nobody can have been given access under
        found = None
    if len(_recent) > 1_000:
        _recent.clear()
    _recent[person, session] = (began, found)
    return found


def signed_in() -> tuple[str, str] | None:
    """Return the person and the sign-in that the gate names; None on a server without sign-in."""
    if _acting:
        return _acting[-1].person, ""
    if read_settings().mode is Mode.NONE:
        return None
    return unquote(str(st.user.get("person") or "")), str(st.user.get("session") or "")


def current_access() -> Access:
    """Return the access of this page run's person: without sign-in, one local administrator who sees every row.

    Raises AccessEnded if the person has no access, or has signed out.
    """
    return _acting[-1] if _acting else _access_of(signed_in())


def _access_of(named: tuple[str, str] | None) -> Access:
    """Return the access of a person and sign-in; None: of the local administrator."""
    if named is None:
        return Access(LOCAL, Role.ADMINISTRATOR)
    found = look_up(*named)
    if found is None:
        raise AccessEnded(named[0])
    return found


def may(action: Action) -> bool:
    """Return True if the person may do the action, so that a page offers it. If the access has ended, it is False."""
    try:
        return current_access().may(action)
    except AccessEnded:
        return False


def require(action: Action) -> None:
    """Raise AccessDenied if the person may not do the action."""
    found = current_access()
    if not found.may(action):
        raise AccessDenied(found.person, action)


def guarded(action: Action) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorate the function of a click that changes something: it runs only if the person may do the action.

    Otherwise the page shows the reason (`refusal`), and so it does if the function raises a BuyerviewError: Streamlit
    calls it before the page, which shows errors.
    """

    def decorate(click: Callable[P, None]) -> Callable[P, None]:
        @wraps(click)
        def checked(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                require(action)
                click(*args, **kwargs)
            except BuyerviewError as error:
                st.session_state["_refusal"] = str(error)

        return checked

    return decorate


def at_download(work: Callable[[], T]) -> Callable[[], T]:
    """Return a function that reads the rows that this page run's person may see when it is called.

    For downloads: a thread without a page run calls it after the click, and the access may have changed since the page
    was drawn. Raises AccessEnded if it has ended. The page shows the reason of an error (`failed_downloads`), because
    Streamlit shows only that there was one.
    """
    named, failed = signed_in(), failed_downloads()

    def bound() -> T:
        try:
            with queries.reading_as(_access_of(named).scope):
                return work()
        except BuyerviewError as error:
            failed.append(str(error))
            raise

    return bound


def failed_downloads() -> list[str]:
    """Return the reasons of this session's failed downloads that no page has shown yet."""
    found: list[str] = st.session_state.setdefault("_failed_downloads", [])
    return found


def refusal() -> str:
    """Return the reason why the last click was refused, once; "" if it was not."""
    text: str = st.session_state.pop("_refusal", "")
    return text


def people() -> list[str] | None:
    """Return the people who may work on orders, by name; None on a server without sign-in."""
    if signed_in() is None:
        return None
    with open_store(locate(), write=False) as store:
        return [known.person for known in access.grants(store) if known.may(Action.WORK_ORDERS)]
