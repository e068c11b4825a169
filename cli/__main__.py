"""`python -m cli`: the command line, for a process that is started by another one of ours."""

import sys

from cli.main import main

if __name__ == "__main__":
    sys.exit(main())
