"""`python3 -m weft serve main:app`."""

import sys

from weft._serve import end_in_time, main

if __name__ == "__main__":
    status = main()
    end_in_time(status)
    sys.exit(status)
