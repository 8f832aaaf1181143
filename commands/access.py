"""Command that gives, changes, removes and lists the access of persons."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from commands.options import AsJson, Where, filters_of
from commands.output import screen, show
from metrics.access import Role

app = typer.Typer(help="Give, change, remove and list access.", no_args_is_help=True, rich_markup_mode=None)

Person = Annotated[str, typer.Argument(help="Name that the sign-in gives, usually an e-mail address.")]


@app.command()
def grant(
    person: Person,
    role: Annotated[Role, typer.Argument(help="Role. Each role allows what the roles before it allow, and more.")],
    where: Where = None,
) -> None:
    """Give a person a role, in place of the former one.

    With --where, the person sees only the rows that meet all filters.
    """
    from metrics.access import Access
    from metrics.model.access_scope import check_scope
    from metrics.store import access
    from metrics.store.connection import open_store
    from metrics.warehouse import locate

    scope = filters_of(where or [])
    check_scope(scope)
    with open_store(locate()) as store:
        access.grant(store, _who(), Access(access.person_name(person), role, scope), at=_now())
    rows = f"the rows with {_scope_text(scope)}" if scope else "every row"
    screen.print(f"{person} is {role} and sees {rows}.", markup=False, soft_wrap=True)


@app.command()
def revoke(person: Person) -> None:
    """Remove the access of a person. It ends with the person's next click."""
    from metrics.store import access
    from metrics.store.connection import open_store
    from metrics.warehouse import locate

    with open_store(locate()) as store:
        access.revoke(store, _who(), person)
    screen.print(f"{person} has no access any more.", markup=False, soft_wrap=True)


@app.command("list")
def list_access(as_json: AsJson = False) -> None:
    """List every person with role and scope."""
    from metrics.store import access
    from metrics.store.connection import open_store
    from metrics.warehouse import locate

    with open_store(locate(), write=False) as store:
        listed = access.grants(store)
    rows = [
        {
            "person": one.person,
            "role": str(one.role),
            "scope": {name: list(values) for name, values in one.scope} if as_json else _scope_text(one.scope),
        }
        for one in listed
    ]
    show(rows, ("person", "role", "scope"), as_json=as_json)


def _scope_text(scope: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    return "; ".join(f"{name}={' or '.join(values)}" for name, values in scope) or "everything"


def _who() -> str:
    """Return the name for the audit trail: the account of the operating system."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # an account without a name, for example in a container
        return "command line"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
