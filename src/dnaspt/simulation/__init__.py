"""A small genome with known genes, peaks and methylation."""
