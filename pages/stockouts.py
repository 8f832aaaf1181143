"""What happened to the buyer each time we had none, what it cost, and what a better fill rate is worth."""

from dashboard.components import theme
from dashboard.editing import form
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import stockouts, stockouts_calculator

filters = page.current_filters()
stockouts.outcomes(filters)
with theme.card("calculator"):
    stockouts_calculator.calculator(filters)
measure_table.measure_table("stockouts")
form.edit_form("assumptions")
