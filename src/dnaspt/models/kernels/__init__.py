"""Compiled kernels of the encoder and the CRF: *_cpu and the others in Numba for the CPU, *_gpu and *_triton for the GPU."""
