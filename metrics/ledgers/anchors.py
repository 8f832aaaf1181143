"""One row: one order judged by the other two dates, the request and the current promise (R1)."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
