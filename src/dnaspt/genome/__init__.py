"""Genomes: letters, coordinates, and the files that hold them (FASTA, GFF3, GTF, BED, VCF, bigWig). PyTorch is not needed."""
