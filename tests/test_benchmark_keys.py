"""The keys of `python -m benchmarks --json`, which scripts read."""

import json

from benchmarks.__main__ import summary, table

MEASURED = {
    "bare": {"seconds": 2, "cpu_seconds": 1, "peak_mb": 100},
    "full": {"seconds": 14, "cpu_seconds": 10, "peak_mb": 900, "rows": 500, "steps": {"read": 1.0}},
    "facts": {"seconds": 3, "cpu_seconds": 3, "peak_mb": 500, "ledger_seconds": 1},
    "hand": {"seconds": 4, "cpu_seconds": 4, "agreement": 0.97},
    "query": {"seconds": 0.006, "hand_seconds": 0.003},
    "carriers": {"seconds": 0.5, "cpu_seconds": 0.4, "peak_mb": 300},
    "pandas": {"seconds": 20, "cpu_seconds": 18, "peak_mb": 2_000},
    "delta": {"seconds": 7, "cpu_seconds": 6, "peak_mb": 400, "rows": 6, "steps": {"read": 0.1}},
    "edit": {"seconds": 3.5, "cpu_seconds": 2.5},
    "peer": {"ours": 0.006, "peak_mb": 100},
    "tiny": {"seconds": 4.5, "cpu_seconds": 5.5},
    "postgres": {"seconds": 42, "cpu_seconds": 25},
    "postgres_delta": {"seconds": 14, "cpu_seconds": 9},
}
MACHINE = {"cpus": 2, "load": 0.5}


def test_json_has_the_keys_that_scripts_read() -> None:
    results = json.loads(json.dumps(summary(MEASURED)))
    expected = {
        "ingest_ratio": 7,
        "facts_ratio": 0.75,
        "query_ratio": 2,
        "pandas_ratio": 40,
        "delta_ratio": 0.5,
        "peak_memory_mb": 900,
        "tiny_wall_s": 4.5,
        "tiny_cpu_s": 5.5,
        "edit_to_number_s": 3.5,
        "postgres_ratio": 3,
        "postgres_cpu_ratio": 2.5,
        "postgres_delta_ratio": 2,
        "postgres_delta_cpu_ratio": 1.5,
    }
    assert {name: results[name] for name in expected} == expected


def test_without_a_server_the_ratio_is_null_and_the_table_says_why() -> None:
    results = summary({name: one for name, one in MEASURED.items() if not name.startswith("postgres")})
    assert results["postgres_ratio"] is None
    assert "PostgreSQL is not installed" in table({"orders": 200, **results, "machine": MACHINE})
