"""Coordinates and letters: FASTA, BED, GFF3 and tracks in and out. No torch here."""
