"""Blocks of a drawn page for its PDF: headings, texts, tiles, tables, facts, lists and charts.

Our markup is read as HTML: cards and tables are the same in the browser and on paper. Controls, forms and buttons are
left out.
"""

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
from streamlit.testing.v1.element_tree import Block, Element

from dashboard.components.charts import Spec
from dashboard.components.formatting import DASH

PdfBlock = dict[str, Any]
"""A block as plain data. Any: nested texts."""
LEFT_OUT = frozenset({"popover", "form", "dialog"})
"""Parts of a page that only change something."""
SILENT = frozenset({"script", "style", "button", "input", "img"})
UNSAID = frozenset({"bv-tools", "bv-mark", "bv-why", "bv-item-head", "bv-trail"})
"""Parts of our markup that only help on a screen."""
ROWS_MOST = 100
"""Most rows of a table on paper."""
VOID = frozenset({"img", "input", "br", "hr", "wbr"})
CHART_SIZE = {"width": 640, "height": 205}


@dataclass
class Node:
    """One element of markup, with texts and elements inside it."""

    tag: str
    css: frozenset[str] = frozenset()
    is_hidden: bool = False
    is_open: bool = False
    inside: list["Node | str"] = field(default_factory=list)


class _Reader(HTMLParser):
    """Parser of our markup into a tree."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Node("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        node = Node(tag, frozenset((given.get("class") or "").split()), "aria-hidden" in given, "open" in given)
        self.open[-1].inside.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if any(node.tag == tag for node in self.open[1:]):
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def blocks_of(root: Block) -> list[PdfBlock]:
    """Return the blocks of the elements below a block of the page, from top to bottom."""
    found: list[PdfBlock] = []
    for _, child in sorted(root.children.items()):
        if isinstance(child, Block):
            if child.type not in LEFT_OUT:
                label = getattr(child, "label", "") if child.type == "expander" else ""
                inside = blocks_of(child)
                found += [{"kind": "heading", "text": _unescaped(label)}] if label and inside else []
                found += inside
        elif isinstance(child, Element):
            found += _element(child)
    return found


def _element(element: Element) -> list[PdfBlock]:
    proto: Any = element.proto
    if element.type in ("header", "subheader"):
        return [{"kind": "heading", "text": _unescaped(proto.body)}]
    if element.type in ("caption", "markdown"):
        return [{"kind": "note", "text": _unescaped(proto.body)}] if proto.body.strip() else []
    if element.type == "html":
        return markup_blocks(proto.body)
    if element.type == "page_link":
        return [{"kind": "link", "text": _unescaped(proto.label)}]
    if element.type == "vega_lite_chart":
        return [{"kind": "chart", "spec": _spec(proto), "alternative": proto.alt or "Chart"}]
    return []


def _spec(proto: Any) -> Spec:
    """Return a chart's specification with its data, at the size of a report."""
    spec: Spec = json.loads(proto.spec)
    rows = {one.name: pa.ipc.open_stream(one.data.data).read_all().to_pylist() for one in proto.datasets}
    spec["datasets"] = {**spec.get("datasets", {}), **rows}
    if spec.get("width") == "container":
        spec["width"] = CHART_SIZE["width"]
    return spec


def _unescaped(markdown: str) -> str:
    """Return the text of escaped Markdown."""
    return re.sub(r"\\([^\w\s])", r"\1", markdown).replace("\u2060", "").replace("**", "").strip()


def markup_blocks(body: str) -> list[PdfBlock]:
    """Return the blocks of our own markup."""
    reader = _Reader()
    reader.feed(body)
    return _blocks(reader.root)


def _blocks(node: Node) -> list[PdfBlock]:
    if node.is_hidden or node.tag in SILENT or UNSAID & node.css:
        return []
    if "bv-def" in node.css and not node.is_open:  # on paper as on the screen: the definition without its details
        return [block for part in _all(node, "summary") for block in _blocks(part)]
    if "bv-item" in node.css:
        return [{"kind": "item", "cells": [_labelled(cell) for cell in node.inside if isinstance(cell, Node)]}]
    if "bv-tiles" in node.css:
        return [{"kind": "tiles", "tiles": [_tile(tile) for tile in _all(node, "li")]}]
    if node.tag == "table":
        return [_table(node)]
    if node.tag == "dl":
        return [
            {
                "kind": "facts",
                "pairs": [[_text(one) for one in pair.inside if isinstance(one, Node)] for pair in _all(node, "div")]
                or _pairs(node),
            }
        ]
    if node.tag in ("ul", "ol"):
        items = [text for item in _all(node, "li") if (text := _text(item))]
        return [{"kind": "list", "items": items}] if items else []
    if re.fullmatch("h[1-6]", node.tag) or "bv-value" in node.css:
        return [{"kind": "heading", "text": _text(node)}]
    if node.tag and not any(_is_block(one) for one in node.inside):
        is_link = all(one.tag == "a" if isinstance(one, Node) else not re.search(r"\w", one) for one in node.inside)
        text = "" if is_link else _text(node)
        return [{"kind": "text", "text": text}] if text else []
    found: list[PdfBlock] = []
    for part in node.inside:
        if isinstance(part, Node):
            found += _blocks(part)
        elif part.strip():
            found.append({"kind": "text", "text": " ".join(part.split())})
    return found


def _is_block(part: Node | str) -> bool:
    own = ("div", "p", "ul", "ol", "dl", "table", "section", "details", "nav", "h1", "h2", "h3", "h4")
    return isinstance(part, Node) and (part.tag in own or any(map(_is_block, part.inside)))


def _pairs(node: Node) -> list[list[str]]:
    """Return names and values of a list whose pairs have no element of their own."""
    names, values = ([_text(one) for one in _all(node, tag)] for tag in ("dt", "dd"))
    return [list(pair) for pair in zip(names, values, strict=False)]


def _all(node: Node, tag: str) -> list[Node]:
    """Return the elements with a tag inside a node, but not those inside each other."""
    found: list[Node] = []
    for part in node.inside:
        if isinstance(part, Node):
            found += [part] if part.tag == tag else _all(part, tag)
    return found


def _text(node: Node | str) -> str:
    """Return the text of an element: line breaks only where a part has its own line."""
    return re.sub(r" *\n[ \n]*", "\n", re.sub(r"[ \t\r\f]+", " ", _raw(node))).strip()


def _raw(node: Node | str) -> str:
    if isinstance(node, str):
        return re.sub(r"\s+", " ", node)
    if node.is_hidden or UNSAID & node.css or (node.tag in SILENT and "bv-sort" not in node.css):
        return ""
    inside = ""
    for part in _all(node, "summary") if node.tag == "details" else node.inside:
        raw = _raw(part)
        apart = inside[-1:].isalnum() or inside[-1:] == "%"
        inside += f" {raw}" if apart and raw[:1].isalnum() else raw  # on a screen, a style keeps them apart
    own_line = node.tag in ("br", "p", "div", "small", "li", "dd", "dt") or "bv-small" in node.css
    return f"\n{inside}" if own_line else inside


def _table(node: Node) -> PdfBlock:
    rows = _all(node, "tr")
    texts = [[_cell(cell) for cell in row.inside if isinstance(cell, Node)] for row in rows]
    first = [cell for cell in rows[0].inside if isinstance(cell, Node)]
    return {
        "kind": "table",
        "heads": texts[0],
        "rows": texts[1 : ROWS_MOST + 1],
        "left_out": f"The first {ROWS_MOST} of {len(texts) - 1:,} rows." if len(texts) - 1 > ROWS_MOST else "",
        "numeric": [at for at, cell in enumerate(first) if "bv-num" in cell.css],
    }


def _cell(cell: Node) -> str:
    """Return the text of a cell; only the dash of a missing number, whose reason is on hover."""
    text = _text(cell)
    return DASH if text.startswith(f"{DASH}, ") else text


def _labelled(cell: Node) -> tuple[str, str]:
    """Return the label and the text of a cell of a work list."""
    label = next((_text(part) for part in cell.inside if isinstance(part, Node) and "bv-label" in part.css), "")
    return label, _text(
        Node("span", inside=[part for part in cell.inside if isinstance(part, str) or "bv-label" not in part.css])
    )


def joined(blocks: list[PdfBlock]) -> list[PdfBlock]:
    """Return blocks with the rows of a work list as one table, each after the link to its order. Drop other links."""
    found: list[PdfBlock] = []
    link = ""
    for block in blocks:
        if block["kind"] == "link":
            link = block["text"]
        elif block["kind"] == "item":
            heads = ["Order", *[label for label, _ in block["cells"]]]
            if not found or found[-1]["kind"] != "table" or found[-1]["heads"] != heads:
                found.append({"kind": "table", "heads": heads, "rows": [], "numeric": [], "left_out": ""})
            found[-1]["rows"].append([link, *[text for _, text in block["cells"]]])
        else:
            found.append(block)
    return found


def _tile(node: Node) -> dict[str, Any]:
    parts = [part for part in node.inside if isinstance(part, Node) and part.tag != "img"]
    texts = [(part, text) for part in parts if (text := _text(part)) and "bv-why" not in part.css]
    return {
        "title": next((text for part, text in texts if part.tag == "h2"), ""),
        "value": next((text for part, text in texts if "bv-value" in part.css), ""),
        "notes": [text for part, text in texts if part.tag != "h2" and "bv-value" not in part.css],
    }
