"""Profitability zones: customers by sales and cost to serve, and the options for Danger customers."""

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
