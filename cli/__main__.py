"""`python -m cli`: the `oracle` command of the checkout it is run in."""

from cli.main import main

main()
