"""Columns of the potentials of a gene model: one for intergenic bases, then 14 for each strand."""

N_COLUMNS = 29
"""Columns of the potentials."""
INTERGENIC = 0
"""Column of a base outside genes."""
PLUS, MINUS_COLUMNS = 1, 15
"""First column of each strand."""
CODING, INTRON, DONOR, ACCEPTOR, START, STOP = 0, 3, 6, 9, 12, 13
"""Within a strand: codon bases 0, 1, 2; introns, donors and acceptors of phase 0, 1, 2; start and stop codon."""
