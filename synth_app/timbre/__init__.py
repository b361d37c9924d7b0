"""Latents, anchors, morphs and patches, as pure values and functions."""
