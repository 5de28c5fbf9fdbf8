"""The command: `python3 -m toolchain [ensure] [--quiet]` installs missing tools, `python3 -m toolchain which` lists
all.
"""

import sys

# The code above this line must run on every Python 3.
if sys.version_info < (3, 11):
    found = ".".join(str(part) for part in sys.version_info[:2])
    sys.exit(
        "Python 3.11 or later is needed; " + sys.executable + " is " + found + ". "
        "Fix: run `make PYTHON=python3.11 tools`."
    )

from toolchain.command import main

sys.exit(main(sys.argv[1:]))
