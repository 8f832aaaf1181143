"""One row: one consignment that was received, and its advance notice."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
