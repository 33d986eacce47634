"""A trained model to predictions: emissions, decoding, genes, windows, variants."""
