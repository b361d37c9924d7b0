"""Adapters: the only rooms with windows to the outside (devices, files, ONNX Runtime).

Each module turns one vendor's ways into a port that the engine or the renderer defines, and one vendor's exceptions
into a sentence that tells the player what to do.
"""
