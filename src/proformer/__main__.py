"""`python -m proformer` is the same as `proformer`."""

import sys

from proformer.cli import main

if __name__ == "__main__":
    sys.exit(main())
