"""`python -m sample_data --orders N --out DIR [--seed S]`: write sample data."""

import argparse
import sys
from pathlib import Path

from sample_data import generate


def main() -> None:
    """Read the options, write the files, print where the mapping file is."""
    parser = argparse.ArgumentParser(prog="python -m sample_data", description="Write sample records with planted defects.")
    parser.add_argument("--orders", type=int, required=True, help="how many orders, from 1 to 10,000,000")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into; made if it is not there")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same bytes (default: 7)")
    options = parser.parse_args()
    mapping = generate(options.orders, options.out, options.seed, lambda done, wanted: print(f"{done:,} of {wanted:,} orders", file=sys.stderr))
    print(mapping)


if __name__ == "__main__":
    main()
