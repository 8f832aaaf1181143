"""One row: one order judged under its customer's contract (R35, P10)."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
