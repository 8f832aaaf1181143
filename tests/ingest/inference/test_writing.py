"""The text of a proposed mapping can be loaded again, whatever the names of files and columns are."""

from pathlib import Path

from ingest.inference.assignment import Question
from ingest.inference.proposal import Proposal, ProposedColumn, ProposedFeed
from ingest.inference.writing import mapping_text
from ingest.mapping.mapping_file import load_mapping

ODD = 'Order\n"No." \\ # 1\t\x7f é = [x] """'


def column(source: str, **settings: object) -> ProposedColumn:
    return ProposedColumn(source, settings, f"evidence of {ODD}", (ODD,))


def test_mapping_text_preserves_unusual_names_in_columns_selects_codes_and_comments(tmp_path: Path) -> None:
    quoted = ODD.replace('"', '""')
    select = f'select "{quoted}" as order_id, "b" as customer_id, "c" as ordered_at\nfrom extract'
    orders = {name: column(name) for name in ("order_id", "customer_id", "ordered_at")}
    lines = {
        "order_id": column(ODD),
        "line_no": column("line"),
        "ordered_qty": column("qty", decimal=",", thousands="."),
        "line_kind": column("kind", codes={ODD: "goods", "F": "fee"}),
    }
    shipment = {"shipment_id": column("id")}
    shipped = {name: column("x") for name in ("shipment_id", "shipment_line_no", "order_id", "line_no", "shipped_qty")}
    feeds = {
        "orders": ProposedFeed(ODD, {"select": select}, orders, (ODD,)),
        "order_lines": ProposedFeed(ODD, {"read": ["a b.csv", "c.csv"], "delimiter": "\t"}, lines, (), {ODD: ODD}),
        "shipments": ProposedFeed("s", {"read": ["s.xlsx"], "sheet": ODD}, shipment),
        "shipment_lines": ProposedFeed("t", {"read": ["t.csv"], "final_newline": "optional"}, shipped),
    }
    staged: dict[str, dict[str, object]] = {"extract": {"read": ["flat.csv"], "header_row": 3, "footer": "Total"}}
    question = Question("key", ODD, (ODD, "none of them"), ODD)
    mapping = tmp_path / "mapping.toml"
    proposal = Proposal(ODD.replace("\n", ""), "UTC", ODD, staged, feeds, (question,), {ODD: ODD})
    mapping.write_text(mapping_text(proposal), encoding="utf-8")
    loaded = load_mapping(mapping)
    assert (loaded.feeds["orders"].select or "").strip() == select
    assert loaded.feeds["order_lines"].columns["order_id"].column == ODD
    assert loaded.feeds["order_lines"].columns["ordered_qty"].thousands == "."
    assert loaded.feeds["order_lines"].columns["line_kind"].codes == {ODD: "goods", "F": "fee"}
    assert loaded.feeds["order_lines"].read == ("a b.csv", "c.csv")
    assert loaded.feeds["shipments"].sheet == ODD
    assert (loaded.staged["extract"].header_row, loaded.staged["extract"].footer) == (3, "Total")
