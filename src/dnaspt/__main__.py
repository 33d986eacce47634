"""`python -m dnaspt`."""

from dnaspt.cli import main

main()
