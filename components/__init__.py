"""The program's components: one file for each box of the README's diagram."""
