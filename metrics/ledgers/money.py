"""One row: one movement of money: a billed or credited line, its product cost, or a cost of serving (R24, R25)."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
