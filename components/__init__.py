"""The program's components: one file for each box of the picture in the README."""
