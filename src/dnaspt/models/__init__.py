"""Numbers in, numbers out: the encoder, the heads and the linear-chain CRF. No files here."""
