"""Genomes and their annotation, regions or methylation calls to dataset folders of labeled windows."""
