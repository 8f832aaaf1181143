"""One row: one order that stands in our books, the buyer's, or both."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
