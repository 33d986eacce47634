"""Genomes to look at: the igv.js view that pages and the local server share, and the server itself."""
