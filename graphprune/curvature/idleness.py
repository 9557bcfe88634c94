"""The idleness α, known without importing NumPy."""

ALPHA = 0.9
