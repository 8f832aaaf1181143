"""`python -m sample_data --orders N --out DIR [--seed S] [--feeds core]`: write sample data."""

import argparse
import sys
from pathlib import Path

from sample_data import generate


def main() -> None:
    """Read the options, write the files and print the path of the mapping file."""
    parser = argparse.ArgumentParser(
        prog="python -m sample_data", description="Write sample records with planted defects."
    )
    parser.add_argument("--orders", type=int, required=True, help="number of orders, from 1 to 10,000,000")
    parser.add_argument("--out", type=Path, required=True, help="folder of the files; created if it is missing")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same bytes (default: 7)")
    parser.add_argument(
        "--feeds",
        choices=("all", "core"),
        default="all",
        help="core: only the six core feeds and the master data (default: all)",
    )
    options = parser.parse_args()

    def show_progress(done: int, total: int) -> None:
        print(f"{done:,} of {total:,} orders", file=sys.stderr)

    mapping = generate(options.orders, options.out, options.seed, show_progress, options.feeds)
    print(mapping)


if __name__ == "__main__":
    main()
