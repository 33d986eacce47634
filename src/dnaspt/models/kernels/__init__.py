"""Compiled kernels of the encoder and the CRF, for the CPU (Numba) and the GPU (Triton)."""
