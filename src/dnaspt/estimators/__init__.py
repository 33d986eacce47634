"""Sequences and labels to models with scikit-learn's interface: fit, predict, score."""
