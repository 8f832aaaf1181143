"""What did we promise each segment (Table 8-1), and what did it get?"""

from dashboard import editing, family, look, package_fit, page

filters = page.chosen()
if package_fit.headline(filters):
    with look.card("promised"):
        package_fit.promised(filters)
    with look.card("rows_kept"):
        package_fit.rows_kept(filters)
    package_fit.trend(filters)
    with look.card("fit"):
        package_fit.fit(filters)
family.show("packages")
editing.show("packages")
