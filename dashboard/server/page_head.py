"""Middleware that adds a script and styles to the head of every page: what Streamlit has no setting for.

- The layout of the frame (`assets/frame.css`), from the first paint on. Otherwise the page moves when the sidebar
  and the style sheet arrive.
- The server's address. Below a page such as `/stockouts`, Streamlit first asks `/stockouts/_stcore/health` and gets two
  errors (404), before it asks at the root. Buyerview is always at the root.
- The parts of Streamlit's program that pages use, loaded while the server works out the page. Streamlit loads a part
  when it first draws such an element, and the page moves when the part arrives.
- A filter adds an entry to the browser's history, so that Back removes the filter. Streamlit replaces the entry, and
  Back would leave the page.
"""

import json
import re
from pathlib import Path

import streamlit
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = b"<head>"
STYLE = (Path(__file__).resolve().parents[1] / "assets" / "frame.css").read_bytes()
SCRIPT = b"""<script>
window.__streamlit = { BACKEND_BASE_URL: location.origin + "/" };
try { // the width that the user gave the sidebar
  const width = parseInt(localStorage.getItem("sidebarWidth"), 10);
  if (width) document.documentElement.style.setProperty("--bv-sidebar", width + "px");
} catch { } // the browser stores nothing
{ // bv-drawn: style sheet and font have arrived; bv-complete: the page has run, and each of its elements has loaded
  const root = document.documentElement, longest = 15000, font = 3000; // ms
  let began = Infinity;
  const look = () => {
    const app = document.querySelector(".stApp"), main = document.querySelector(".stMainBlockContainer");
    if (main) began = Math.min(began, performance.now());
    const isLate = performance.now() - began > longest, hasRun = app?.dataset.testScriptState === "notRunning";
    const hasStyle = getComputedStyle(root).getPropertyValue("--bv-page");
    const needsFont = [...document.fonts].some(one => one.family.includes("Inter") && one.status === "loading");
    const isWaiting = needsFont && performance.now() - began < font;
    if (hasStyle && !isWaiting || isLate || main?.querySelector(".stException")) root.classList.add("bv-drawn");
    if (isLate || hasStyle && hasRun && !main?.querySelector('[data-testid="stSkeleton"]'))
      root.classList.add("bv-complete");
    else requestAnimationFrame(look);
  };
  look();
}
{
  const never = -1e9, soon = 2000; // ms after a click or a key
  let touched = never;
  const touch = () => { touched = performance.now(); };
  for (const kind of ["click", "change", "keydown"]) addEventListener(kind, touch, true);
  addEventListener("popstate", () => { touched = never; }, true);
  const replace = history.replaceState.bind(history);
  history.replaceState = (state, title, address) => {
    const isNew = address && new URL(address, location.href).search !== location.search;
    if (isNew && performance.now() - touched < soon) history.pushState(state, title, address);
    else replace(state, title, address);
  };
}
</script>"""
PROGRAM = Path(streamlit.__file__).parent / "static" / "static" / "js"
PARTS = (
    "Html",
    "TextInput",
    "Checkbox",
    "ButtonGroup",
    "DownloadButton",
    "PageLink",
    "Selectbox",
    "NumberInput",
    "Button",
    "TextArea",
    "Multiselect",
    "ArrowVegaLiteChart",
    "loadVegaEmbed",
    "embed",
    "vega-interpreter",
)
"""Parts of Streamlit's program that pages use, in the order in which they load."""


def parts_of_the_program() -> list[str]:
    """Return the addresses of PARTS. Their file names contain a hash that changes with Streamlit's version."""
    names = sorted(path.name for path in PROGRAM.glob("*.js"))
    return [f"/static/js/{name}" for part in PARTS for name in names if re.fullmatch(rf"{part}\.[\w-]{{8}}\.js", name)]


LOADED_EARLY = (
    "<script>addEventListener('DOMContentLoaded', () => { for (const part of "
    f"{json.dumps(parts_of_the_program())}) import(part).catch(() => {{}}); }});</script>"
).encode()
ADDED = SCRIPT + LOADED_EARLY + b"<style>" + STYLE + b"</style>"

OF_THE_FILE = (b"content-length", b"etag", b"last-modified")
"""Headers of a response that describe the page without the additions."""
OF_A_CACHE = (b"accept-encoding", b"if-none-match", b"if-modified-since")
"""Headers of a request that would get a compressed page, or none. The page has 12 kB."""


class PageHead:
    """Middleware that adds the script and the styles to every page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Collect a page, add the script and the styles, and send it; pass everything else on."""
        begun: Message | None = None
        parts: list[bytes] = []

        async def send_page(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and is_page(message):
                begun = message
            elif begun is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = b"".join(parts).replace(HEAD, HEAD + ADDED, 1)
                    headers = [pair for pair in begun["headers"] if pair[0].lower() not in OF_THE_FILE]
                    await send({**begun, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
                    await send({"type": "http.response.body", "body": body})

        if _asks_for_a_page(scope):
            plain = [pair for pair in scope["headers"] if pair[0].lower() not in OF_A_CACHE]
            await self.app({**scope, "headers": plain}, receive, send_page)
        else:
            await self.app(scope, receive, send)


def _asks_for_a_page(scope: Scope) -> bool:
    accepted: bytes = dict(scope.get("headers", [])).get(b"accept", b"")
    return scope["type"] == "http" and scope["method"] == "GET" and b"text/html" in accepted


def is_page(message: Message) -> bool:
    """Return True if the response that a message begins is a page."""
    kind: bytes = dict(message.get("headers", [])).get(b"content-type", b"")
    return message["status"] == 200 and kind.startswith(b"text/html")
