"""``python -m graphprune.archive results/ -o results.zip``: a finished run as one file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from graphprune.archive import pack
from graphprune.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack a folder of results; 0, or 1 and one line that says why not."""
    parser = argparse.ArgumentParser(prog="python -m graphprune.archive", description=__doc__)
    parser.add_argument("results", help="folder of results")
    parser.add_argument("-o", "--output", required=True, help="the ZIP file to write")
    parser.add_argument(
        "--weights", action="store_true", help="also dense and fine-tuned networks, and scores"
    )
    options = parser.parse_args(arguments)
    try:
        entries = pack(options.results, options.output, weights=options.weights)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    size = Path(options.output).stat().st_size
    print(f"{options.output}: {len(entries)} files, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
