"""Source files to dataset folders."""
