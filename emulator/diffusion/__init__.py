"""Variational diffusion, written in gamma = -log SNR alone; functions of tensors and denoisers."""
