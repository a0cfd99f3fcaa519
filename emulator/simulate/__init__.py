"""The embedded suite: N-body gravity and a baryonification with known randomness."""
