"""A chart as a picture to take away: PNG and SVG, drawn by the same specification as on the page, in our own font.

A picture says what it shows: title, period, filters and the generation stand on it. It is made on the click, by a
thread that knows no session.
"""

import base64
import json
import re
from copy import deepcopy
from functools import lru_cache, partial
from typing import Any

import streamlit as st

from dashboard.components import charts, formatting, theme
from dashboard.frame import page

KINDS = {"png": "image/png", "svg": "image/svg+xml"}
WIDTH = 780
SCALE = 2.0
"""Pixels of a PNG for one of the picture: sharp on a slide."""
PADDING = 18
PRINT_FONTS = theme.ASSETS / "print"
"""Inter as TrueType, regular and semi-bold, made of the fonts beside them: what draws off the screen reads no WOFF2."""


def export_chart(spec: dict[str, Any], *, key: str, alternative: str, title: str) -> None:
    """A chart on the page, and its pictures in a menu below it."""
    charts.draw(spec, key=key, alternative=alternative)
    buttons(spec, key.removesuffix("_chart"), title=title)


def buttons(spec: dict[str, Any], name: str, *, title: str = "") -> None:
    """A quiet menu beside a chart with its two pictures. `name` names the files and the controls; `title` (else the
    name) stands on the picture.
    """
    chosen = page.current_filters()
    as_of = page.as_of()
    under = f"{formatting.date_range(chosen.start, chosen.end)} · {chosen.label} · generation {page.generation()}"
    under += f", data as of {formatting.moment(as_of)}" if as_of else ""
    is_dark = theme.is_dark()

    def made(kind: str) -> bytes:
        return render_image(
            with_title(spec, title=title or formatting.in_words(name), under=under, is_dark=is_dark), kind
        )

    with st.popover(
        "Picture", icon=":material/image:", type="tertiary", key=f"pictures_{name}", help="This chart as a file"
    ):
        for kind, media in KINDS.items():
            st.download_button(
                f"Download {kind.upper()}",
                data=partial(made, kind),
                file_name=f"buyerview_{name}_{chosen.start}_{chosen.end}.{kind}",
                mime=media,
                icon=":material/download:",
                on_click="ignore",
                key=f"picture_{name}_{kind}",
            )


def with_title(spec: dict[str, Any], *, title: str, under: str, is_dark: bool) -> dict[str, Any]:
    """A chart of the page with a width of its own, a ground, and words that say what it shows."""
    colour = theme.palette(is_dark)
    drawn = deepcopy(spec)
    if drawn.get("width") == "container":
        drawn["width"] = WIDTH
    drawn["title"] = {
        "text": title,
        "subtitle": under,
        "anchor": "start",
        "frame": "group",
        "offset": 14,
        "font": charts.FONT,
        "fontSize": 17,
        "fontWeight": 600,
        "color": colour["ink"],
        "subtitleFont": charts.FONT,
        "subtitleFontSize": 12,
        "subtitlePadding": 6,
        "subtitleColor": colour["muted"],
    }
    config = drawn.setdefault("config", {})
    config["background"], drawn["padding"] = (
        colour["card"],
        PADDING,
    )  # room for labels beside the plot is made by drawing off the screen
    return drawn


def render_image(spec: dict[str, Any], kind: str) -> bytes:
    """A specification as the bytes of a picture."""
    if kind == "png":
        return bytes(_converter().vegalite_to_png(json.dumps(spec), scale=SCALE, allowed_base_urls=[]))
    return with_font(bare_svg(spec)).encode()


def bare_svg(spec: dict[str, Any]) -> str:
    """A specification as SVG, for a page that brings the font itself."""
    return str(_converter().vegalite_to_svg(json.dumps(spec), allowed_base_urls=[]))


def with_font(svg: str) -> str:
    """An SVG that brings our font along, so that it looks the same where nobody has it."""
    return re.sub(r"(<svg\b[^>]*>)", lambda opened: f"{opened[1]}<style>{_font_face()}</style>", svg, count=1)


@lru_cache(maxsize=1)
def _font_face() -> str:
    font = base64.b64encode((theme.ASSETS / "inter-latin.woff2").read_bytes()).decode()
    return f"@font-face{{font-family:Inter;font-weight:100 900;src:url(data:font/woff2;base64,{font}) format('woff2')}}"


@lru_cache(maxsize=1)
def _converter() -> Any:
    import vl_convert  # brings a JavaScript engine: only who takes a picture waits for it

    vl_convert.register_font_directory(str(PRINT_FONTS))
    return vl_convert
