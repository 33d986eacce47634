"""Models to beat: k-mers, Markov chains, n-grams, AUGUSTUS and genes of other tools."""
