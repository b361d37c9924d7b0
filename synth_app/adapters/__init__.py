"""Adapters: the only rooms with windows to the outside (devices, files, ONNX Runtime).

Each module turns one vendor's ways into a port that the engine or the renderer defines, and one vendor's exceptions
into a sentence that tells the player what to do.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
"""From version 1.31 on ONNX Runtime reports its use to its maker and leaves a device id in the home, unless it is told
not to before it is imported. What a player plays is nobody else's business."""
