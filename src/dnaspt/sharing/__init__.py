"""Models as folders for others: the files, the model card, and the way to the Hugging Face hub."""
