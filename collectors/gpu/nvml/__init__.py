"""NVIDIA's devices by NVML. Only the reader process imports what is here."""
