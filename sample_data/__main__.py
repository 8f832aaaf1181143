"""`python -m sample_data --orders N --out DIR [--seed S] [--feeds core]`: write sample data."""

import argparse
import sys
from pathlib import Path

from sample_data import generate


def main() -> None:
    """Read the options, write the files, print where the mapping file is."""
    parser = argparse.ArgumentParser(
        prog="python -m sample_data", description="Write sample records with planted defects."
    )
    parser.add_argument("--orders", type=int, required=True, help="how many orders, from 1 to 10,000,000")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into; made if it is not there")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same bytes (default: 7)")
    parser.add_argument(
        "--feeds",
        choices=("all", "core"),
        default="all",
        help="core: the six core feeds and the books only (default: all)",
    )
    options = parser.parse_args()

    def tell(done: int, wanted: int) -> None:
        print(f"{done:,} of {wanted:,} orders", file=sys.stderr)

    mapping = generate(options.orders, options.out, options.seed, tell, options.feeds)
    print(mapping)


if __name__ == "__main__":
    main()
