"""Download of charts as PNG and SVG, drawn from the specification on the page in the product's font, and their data.

A picture contains its title, period, filters and data version. A thread without a session draws it on the click.
"""

import base64
import csv
import io
import json
import re
from copy import deepcopy
from functools import lru_cache, partial
from types import ModuleType

import streamlit as st

from dashboard.components import charts, formatting, theme
from dashboard.components.charts import Spec
from dashboard.frame import page
from metrics.provenance.provenance import formula

KINDS = {"png": "image/png", "svg": "image/svg+xml"}
WIDTH = 780
SCALE = 2.0
"""Pixels of a PNG per pixel of the chart, for sharp pictures on slides."""
PADDING = 18
DRAWN = frozenset(
    {
        "colour",
        "fill",
        "shape",
        "size",
        "url",
        "label",
        "before_label",
        "year_label",
        "row",
        "short",
        "piece",
        "label_at",
    }
)
"""Fields of a chart's data that only draw it."""
PRINT_FONTS = theme.ASSETS / "print"
"""Inter as TrueType (regular and semi-bold), because the off-screen renderers cannot read WOFF2."""


def export_chart(spec: Spec, *, key: str, alternative: str, title: str) -> None:
    """Draw a chart with its download menu."""
    charts.draw(spec, key=key, alternative=alternative)
    buttons(spec, key.removesuffix("_chart"), title=title)


def buttons(spec: Spec, name: str, *, title: str = "") -> None:
    """Draw the download menu of a chart.

    name: name of the files and controls. title: title of the picture; default is the name.
    """
    chosen = page.current_filters()
    as_of = page.as_of()
    under = f"{formatting.date_range(chosen.start, chosen.end)} · {chosen.label} · data version {page.generation()}"
    under += f", data as of {formatting.moment(as_of)}" if as_of else ""
    is_dark = theme.is_dark()

    def picture(kind: str) -> bytes:
        return render_image(
            with_title(spec, title=title or formatting.in_words(name), under=under, is_dark=is_dark), kind
        )

    with st.popover(
        "Download",
        icon=":material/image:",
        type="tertiary",
        key=f"pictures_{name}",
        help="Download the chart as a picture, or its data as CSV",
    ):
        st.download_button(
            "Download CSV",
            data=partial(data_file, spec),
            file_name=f"buyerview_{name}_{chosen.start}_{chosen.end}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key=f"picture_{name}_csv",
        )
        for kind, media in KINDS.items():
            st.download_button(
                f"Download {kind.upper()}",
                data=partial(picture, kind),
                file_name=f"buyerview_{name}_{chosen.start}_{chosen.end}.{kind}",
                mime=media,
                icon=":material/download:",
                on_click="ignore",
                key=f"picture_{name}_{kind}",
            )


def data_file(spec: Spec) -> bytes:
    """Return the data of a chart as CSV, without the colours, shapes and labels that only draw it."""
    rows = _rows(spec)
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in DRAWN]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {name: f"'{cell}" if isinstance(cell, str) and formula(cell) else cell for name, cell in row.items()}
        )
    return text.getvalue().encode()


def _rows(spec: Spec) -> list[dict[str, object]]:
    """Return the rows of a chart: its whole table, else its datasets named rows, else its largest dataset."""
    whole: list[dict[str, object]] = spec.get("usermeta", {}).get("rows", [])
    tables: dict[str, list[dict[str, object]]] = spec["datasets"]
    named = [row for name, rows in tables.items() if name.startswith("rows") for row in rows]
    return whole or named or max(tables.values(), key=len, default=[])


def with_title(spec: Spec, *, title: str, under: str, is_dark: bool) -> Spec:
    """Return a chart with a fixed width, a background, a title and a subtitle."""
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
    config["background"] = colour["card"]
    drawn["padding"] = PADDING  # the renderer adds the width of the labels right of the plot itself
    return drawn


def render_image(spec: Spec, kind: str) -> bytes:
    """Render a specification as PNG or SVG."""
    if kind == "png":
        return bytes(_converter().vegalite_to_png(json.dumps(spec), scale=SCALE, allowed_base_urls=[]))
    return with_font(bare_svg(spec)).encode()


def bare_svg(spec: Spec) -> str:
    """Render a specification as SVG without a font, for a page that embeds the font itself."""
    return str(_converter().vegalite_to_svg(json.dumps(spec), allowed_base_urls=[]))


def with_font(svg: str) -> str:
    """Embed the product's font in an SVG, so that it looks the same everywhere."""
    return re.sub(r"(<svg\b[^>]*>)", lambda tag: f"{tag[1]}<style>{_font_face()}</style>", svg, count=1)


@lru_cache(maxsize=1)
def _font_face() -> str:
    font = base64.b64encode((theme.ASSETS / "inter-latin.woff2").read_bytes()).decode()
    return f"@font-face{{font-family:Inter;font-weight:100 900;src:url(data:font/woff2;base64,{font}) format('woff2')}}"


@lru_cache(maxsize=1)
def _converter() -> ModuleType:
    import vl_convert  # contains a JavaScript engine, so only a download imports it

    vl_convert.register_font_directory(str(PRINT_FONTS))
    return vl_convert
