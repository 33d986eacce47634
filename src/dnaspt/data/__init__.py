"""Dataset folders: how they are read, and how their windows become batches for training and segments for scoring."""
