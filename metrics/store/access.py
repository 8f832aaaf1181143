"""Grants: the role and the scope of each person, and the sign-ins that have ended."""

import json
import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from metrics.access import Access, Role, Scope
from metrics.errors import LastAdministrator, SettingRefused, UnknownName
from metrics.schema import Row
from metrics.store import audit
from metrics.store.tables import access_grants, ended_sessions

LONGEST = 200
"""Longest name of a person, in characters."""
SESSIONS_KEPT = timedelta(days=60)
"""An ended sign-in is forgotten after this time. Its cookie has expired long before."""

_grant = access_grants.c


def person_name(text: str) -> str:
    """Return the name of a person as it is stored: names that differ only in case are one person.

    Raises SettingRefused for a name that no sign-in gives.
    """
    name = unicodedata.normalize("NFC", text).strip().casefold()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise SettingRefused("person", f"{text!r} is no name of a person. Write the e-mail address of the sign-in")
    return name


def grants(connection: Connection) -> list[Access]:
    """Return the access of every person, by name."""
    rows = connection.execute(select(access_grants).order_by(_grant.person)).mappings()
    return [_access(dict(row)) for row in rows]


def access_of(connection: Connection, person: str, session: str = "") -> Access | None:
    """Return the access of a person; None if there is none, or if the sign-in `session` has ended."""
    if session and connection.scalar(select(ended_sessions.c.session).where(ended_sessions.c.session == session)):
        return None
    found = connection.execute(select(access_grants).where(_grant.person == person_name(person))).mappings().first()
    return None if found is None else _access(dict(found))


def grant(connection: Connection, who: str, access: Access, *, at: datetime) -> None:
    """Give a person a role and a scope, in place of the former ones.

    Raises LastAdministrator if nobody could give access afterwards.
    """
    person = person_name(access.person)
    before = access_of(connection, person)
    if access.role is not Role.ADMINISTRATOR or access.scope:
        _keep_an_administrator(connection, person)
    values = {"role": str(access.role), "scope": json.dumps(access.scope, ensure_ascii=False), "changed_at": at}
    if before is None:
        connection.execute(insert(access_grants).values(person=person, version=1, **values))
    else:
        changed = update(access_grants).where(_grant.person == person)
        connection.execute(changed.values(version=_grant.version + 1, **values))
    what = "access granted" if before is None else "access changed"
    audit.record(connection, who, what, f"access {person}", _values(before), _values(access))


def revoke(connection: Connection, who: str, person: str) -> None:
    """Remove the access of a person.

    Raises UnknownName if there is none, LastAdministrator if nobody could give access afterwards.
    """
    name = person_name(person)
    before = access_of(connection, name)
    if before is None:
        raise UnknownName("person with access", name, [known.person for known in grants(connection)])
    _keep_an_administrator(connection, name)
    connection.execute(delete(access_grants).where(_grant.person == name))
    audit.record(connection, who, "access revoked", f"access {name}", _values(before), None)


def end_session(connection: Connection, session: str, *, at: datetime) -> None:
    """End a sign-in, so that its cookie is no longer accepted."""
    connection.execute(delete(ended_sessions).where(ended_sessions.c.ended_at < at - SESSIONS_KEPT))
    known = select(func.count()).select_from(ended_sessions).where(ended_sessions.c.session == session)
    if not connection.scalar(known):
        connection.execute(insert(ended_sessions).values(session=session, ended_at=at))


def _keep_an_administrator(connection: Connection, person: str) -> None:
    """Raise LastAdministrator if the person is the only administrator who sees every row."""
    full = [known.person for known in grants(connection) if known.role is Role.ADMINISTRATOR and not known.scope]
    if full == [person]:
        raise LastAdministrator(person)


def _access(row: Row) -> Access:
    scope: Scope = tuple((name, tuple(values)) for name, values in json.loads(row["scope"]))
    return Access(row["person"], Role(row["role"]), scope)


def _values(access: Access | None) -> Row | None:
    return None if access is None else {"role": str(access.role), "scope": [list(part) for part in access.scope]}
