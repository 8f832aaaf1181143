"""Address of a source database: the environment variable that a mapping names."""

import os
import re

from ingest.errors import MappingRefused


def connection_url(reference: str, *, key: str, file: str) -> str:
    """Return the URL that `connection = "env:NAME"` names. Raises MappingRefused if the variable is not set."""
    name = reference.removeprefix("env:")
    url = os.environ.get(name, "")
    if not url:
        raise MappingRefused(
            file, [f"{key}: the environment variable {name} is not set; set it to the database's SQLAlchemy URL"]
        )
    server = url.partition("://")[2].partition("?")[0]
    if server.count("@") > 1 and not server.startswith("/"):
        raise MappingRefused(file, [f"{key}: the password in {name} contains @; write %40 in its place"])
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url):
        raise MappingRefused(
            file,
            [f"{key}: {name} is not a SQLAlchemy URL; set it to e.g. postgresql+psycopg://user:password@host/database"],
        )
    return url
