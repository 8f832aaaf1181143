"""What happened to the buyer each time we had none, what it cost, and what a better fill rate is worth."""

from dashboard import calculator, editing, family, look, lost_sales, page

lost_sales.show(page.chosen())
with look.card("calculator"):
    calculator.show()
family.show("stockouts")
editing.show("assumptions")
