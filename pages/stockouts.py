"""What happened to the buyer each time we had none, what it cost, and what a better fill rate is worth."""

from dashboard import calculator, editing, family, look, lost_sales, page

filters = page.chosen()
lost_sales.show(filters)
with look.card("calculator"):
    calculator.show(filters)
family.show("stockouts")
editing.show("assumptions")
