"""Envelopes, interpolation, smoothing, limiting and resampling on arrays and numbers."""
