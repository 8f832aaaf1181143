"""Which customers protect, build, need cost engineering or are a danger, and what ordering behaviour costs."""

from dashboard.components import theme
from dashboard.editing import form
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import profitability

view = page_view("profitability")
if profitability.profitability_headline(view):
    with theme.card("zones"):
        profitability.zones_chart(view)
    with theme.card("options"):
        profitability.options(view)
measure_table(view)
form.edit_form("zones")
