"""Segments and packages: commitments of each package, and how many were met."""

from dashboard.components import theme
from dashboard.editing import form
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import packages

view = page_view("packages")
if packages.packages_headline(view):
    with theme.card("promised"):
        packages.promised_and_delivered(view)
    packages.rows_kept(view)
    with theme.card("fit"):
        packages.fit(view)
measure_table(view)
form.edit_form("packages")
