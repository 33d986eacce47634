"""Models as plain PyTorch modules, numbers in and numbers out: encoders, task heads and the linear-chain CRF. No files here."""
