"""A small genome with known genes, peaks and methylation: for demos and tests."""
