"""Self-pretraining for DNA: a language model of your own task's sequences, fine-tuned on your labels (arXiv 2506.17766)."""

__version__ = "0.1.0"
