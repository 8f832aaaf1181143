"""Access: a person, the role that says what the person may do, and the scope that says which rows the person sees."""

from dataclasses import dataclass
from enum import StrEnum

Scope = tuple[tuple[str, tuple[str, ...]], ...]
"""Conditions (dimension, allowed values), as in `Question.where`. A row is visible if it meets all of them."""

EVERYTHING: Scope = ()
"""The scope without a condition."""


class Action(StrEnum):
    """An action that a role allows."""

    LOOK = "see pages"
    EXPORT = "export data"
    WORK_ORDERS = "work on orders"
    WRITE_NOTES = "write notes"
    SAVE_VIEWS = "save views"
    SET_ALERTS = "set alerts"
    EDIT_NUMBERS = "edit targets, packages and assumptions"
    GRANT_ACCESS = "give access"
    SET_CHANNELS = "set channels"
    APPLY = "apply edits"


class Role(StrEnum):
    """The roles, the least first. Each role allows what the roles before it allow, and more."""

    VIEWER = "viewer"
    AGENT = "agent"
    ANALYST = "analyst"
    EDITOR = "editor"
    ADMINISTRATOR = "administrator"

    def may(self, action: Action) -> bool:
        """Return True if the role allows the action."""
        roles = list(Role)
        return any(action in ADDED[role] for role in roles[: roles.index(self) + 1])


ADDED: dict[Role, tuple[Action, ...]] = {
    Role.VIEWER: (Action.LOOK, Action.EXPORT),
    Role.AGENT: (Action.WORK_ORDERS, Action.WRITE_NOTES),
    Role.ANALYST: (Action.SAVE_VIEWS, Action.SET_ALERTS),
    Role.EDITOR: (Action.EDIT_NUMBERS,),
    Role.ADMINISTRATOR: (Action.GRANT_ACCESS, Action.SET_CHANNELS, Action.APPLY),
}
"""The actions that each role adds to those of the roles before it."""


OF_ALL_ROWS = (Action.EDIT_NUMBERS, *ADDED[Role.ADMINISTRATOR])
"""Actions that change the numbers or the access of everybody."""


@dataclass(frozen=True)
class Access:
    """What one person may do and see. An empty scope shows every row."""

    person: str
    role: Role
    scope: Scope = EVERYTHING

    def may(self, action: Action) -> bool:
        """Return True if the person may do the action. Actions about all rows need an empty scope."""
        return self.role.may(action) and (not self.scope or action not in OF_ALL_ROWS)


def covers(scope: Scope, rows: Scope) -> bool:
    """Return True if a person with `scope` sees every row that meets the conditions `rows`."""
    allowed = dict(rows)
    return all(name in allowed and {*allowed[name]} <= {*values} for name, values in scope)
