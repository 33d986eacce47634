"""Pages that compare runs and studies, and descriptions of files."""
