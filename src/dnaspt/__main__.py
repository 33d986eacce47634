"""`python -m dnaspt`."""

from dnaspt.cli.main import main

main()
