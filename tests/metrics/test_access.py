"""Roles: what each one allows."""

from metrics.access import ADDED, Access, Action, Role

ALLOWED = {
    Role.VIEWER: {Action.LOOK, Action.EXPORT},
    Role.AGENT: {Action.LOOK, Action.EXPORT, Action.WORK_ORDERS, Action.WRITE_NOTES},
    Role.ANALYST: {
        Action.LOOK,
        Action.EXPORT,
        Action.WORK_ORDERS,
        Action.WRITE_NOTES,
        Action.SAVE_VIEWS,
        Action.SET_ALERTS,
    },
    Role.EDITOR: set(Action) - {Action.GRANT_ACCESS, Action.SET_CHANNELS, Action.APPLY},
    Role.ADMINISTRATOR: set(Action),
}


def test_each_role_allows_its_actions_and_those_of_the_roles_before_it() -> None:
    assert {role: {action for action in Action if Access("Ada", role).may(action)} for role in Role} == ALLOWED


def test_a_person_with_a_scope_changes_nothing_for_everybody() -> None:
    limited = Access("Ada", Role.ADMINISTRATOR, (("region", ("North",)),))
    assert {action for action in Action if limited.may(action)} == ALLOWED[Role.ANALYST]


def test_every_action_belongs_to_exactly_one_role() -> None:
    assert sorted(action for actions in ADDED.values() for action in actions) == sorted(Action)
