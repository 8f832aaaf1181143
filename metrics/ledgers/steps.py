"""One row: one of the 13 order-to-cash steps of one order; the slack ledger."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
