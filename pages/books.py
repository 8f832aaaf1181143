"""Our verdicts against the buyer's own scorecard."""

from dashboard import family

family.show("books")
