"""What happened to the buyer each time we had none, what it cost, and what a better fill rate is worth."""

from dashboard import calculator, editing, family, look

family.show("stockouts")
with look.card("calculator"):
    calculator.show()
editing.show("assumptions")
