"""Sources to dataset folders, dataset folders to batches."""
