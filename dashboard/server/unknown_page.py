"""Middleware that answers the address of an unknown page with a page of ours, in place of Streamlit's message."""

from difflib import get_close_matches

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.frame.menu_entries import ENTRIES
from dashboard.server.page_head import is_page
from dashboard.server.refusals import refuse, wants_page

PATHS = {entry.path: entry for entry in ENTRIES}


class UnknownPage:
    """Middleware that replaces Streamlit's page by an answer 404 if the menu has no page with this address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Replace the page of an unknown address; pass everything else on. Files of a page are no pages."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        asked = connection.url.path.strip("/")
        is_refused = False

        async def send_known(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start" and is_page(message):
                is_refused = True
                near = get_close_matches(asked, [path for path in PATHS if path], n=1)
                hint = f" Did you mean {PATHS[near[0]].title} (/{near[0]})?" if near else ""
                answer = refuse(
                    connection,
                    404,
                    "No such page",
                    f"Buyerview has no page with the address /{asked}.{hint}",
                    link=("Open the scorecard", "/"),
                )
                await answer(scope, receive, send)
            elif not is_refused:
                await send(message)

        is_known = asked in PATHS or not wants_page(connection)
        await self.app(scope, receive, send if is_known else send_known)
