"""`python3 -m toolchain [ensure] [--quiet]` gets what is missing; `python3 -m toolchain which` lists what is used."""

import sys

# Nothing above this line may need a newer Python than the one it complains about.
if sys.version_info < (3, 11):
    found = ".".join(str(part) for part in sys.version_info[:2])
    sys.exit(
        "Python 3.11 or later is needed; " + sys.executable + " is " + found + ".\n  next: make PYTHON=python3.11 tools"
    )

from toolchain.command import main

sys.exit(main(sys.argv[1:]))
