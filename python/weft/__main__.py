"""`python3 -m weft serve main:app`."""

import sys

from weft._serve import main

if __name__ == "__main__":
    sys.exit(main())
