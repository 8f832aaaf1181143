"""What did we promise each segment (Table 8-1), and what did it get?"""

from dashboard.components import theme
from dashboard.editing import form
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import packages

filters = page.current_filters()
if packages.headline(filters):
    with theme.card("promised"):
        packages.promised_and_delivered(filters)
    with theme.card("rows_kept"):
        packages.rows_kept(filters)
    packages.trend(filters)
    with theme.card("fit"):
        packages.fit(filters)
measure_table.measure_table("packages")
form.edit_form("packages")
