"""One row: one order, whether it failed, how it was recovered, and when that customer ordered again."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
