"""One row: one delivery group, the lines of an order with one deadline (R16)."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
