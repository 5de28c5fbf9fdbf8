"""`python -m ops`: the `oracle` command of the checkout it is run in."""

from ops.main import main

main()
