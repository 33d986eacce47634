"""Evaluation files of a run: names of the files."""

GENES_FILE = "genes.gff3"
