"""Which customers protect, build, need cost engineering or are a danger, and what ordering behaviour costs."""

from dashboard.components import theme
from dashboard.editing import form
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import profitability

filters = page.current_filters()
if profitability.headline(filters):
    with theme.card("zones"):
        profitability.zones_chart(filters)
    with theme.card("options"):
        profitability.options(filters)
measure_table.measure_table("profitability")
form.edit_form("zones")
