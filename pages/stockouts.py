"""What happened to the buyer each time we had none, what it cost, and what a better fill rate is worth."""

from dashboard.components import theme
from dashboard.editing import form
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import stockouts, stockouts_calculator

filters = page.chosen()
stockouts.show(filters)
with theme.card("calculator"):
    stockouts_calculator.show(filters)
measure_table.show("stockouts")
form.show("assumptions")
