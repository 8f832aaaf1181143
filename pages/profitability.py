"""Which customers protect, build, need cost engineering or are a danger, and what ordering behaviour costs."""

from dashboard import editing, family, look, page, zoning

filters = page.chosen()
if zoning.headline(filters):
    with look.card("zones"):
        zoning.show(filters)
    with look.card("options"):
        zoning.options(filters)
family.show("profitability")
editing.show("zones")
