"""Ask the semantic layer Sidemantic for on-time, complete and OTIF by segment and month, for comparison.

`python -m benchmarks.peer_sidemantic FILE START [ROUNDS]` reads the rollup of a published generation. It prints JSON:
the number of shares, their sum, and the median processor seconds of a warm question. Without rounds it asks once, to
measure the process. Sidemantic is optional (`pip install sidemantic`). It can be in another environment, because this
module imports nothing else of Buyerview.
"""

import importlib
import json
import statistics
import sys
import time
from typing import Any  # the library is optional, so its types are not known

MEASURES = ("on_time", "complete", "otif")


def layer(file: str) -> Any:
    """Return the semantic layer over the rollup of orders by due day."""
    library: Any = importlib.import_module("sidemantic")
    dimension, metric = library.Dimension, library.Metric
    found = library.SemanticLayer(connection=f"duckdb:///{file}")
    sums = [
        metric(name=f"{name}_{role}", agg="sum", sql=f"{name}__{role}")
        for name in MEASURES
        for role in ("numerator", "denominator")
    ]
    found.add_model(
        library.Model(
            name="orders",
            table="rollup_order_due",
            primary_key="day",
            dimensions=[
                dimension(name="segment", type="categorical", sql="segment"),
                dimension(name="day", type="time", granularity="day", sql="day"),
            ],
            metrics=sums,
        )
    )
    for name in MEASURES:
        ratio = {"numerator": f"orders.{name}_numerator", "denominator": f"orders.{name}_denominator"}
        found.add_metric(metric(name=name, type="ratio", **ratio))
    return found


def ask(found: Any, start: str) -> list[tuple[Any, ...]]:
    """Return the rows: segment, month and three shares."""
    result = found.query(
        metrics=list(MEASURES), dimensions=["orders.segment", "orders.day__month"], filters=[f"orders.day >= '{start}'"]
    )
    rows: list[tuple[Any, ...]] = result.fetchall()
    return rows


def main() -> None:
    """Measure and print."""
    file, start, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0
    found = layer(file)
    rows = ask(found, start)
    shares = [share for row in rows for share in row[2:] if share is not None]
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        ask(found, start)
        taken.append(time.process_time() - began)
    answers: dict[str, object] = {"answers": len(shares), "sum": round(float(sum(shares)), 6)}
    print(json.dumps(answers | ({"cpu_seconds": statistics.median(taken)} if taken else {})))


if __name__ == "__main__":
    main()
