"""Making generators: data, model, losses, the loop and the export. The only floor that may import torch.

The way of a note: ``sources`` (``soundfont``, ``procedural``, files) -> ``data`` (filtered, levelled, on disk) ->
``features`` (pictures, through ``codec``) -> ``feed`` (batches). The way of a weight: ``model`` inside a ``voice``
(with its timbres' codes) -> ``run`` (a step, its ``losses``, its ``ema``) -> ``loop`` (when, and ``checkpoint``) ->
``runs`` -> ``evaluate`` (``evaluation``, ``metrics``, ``pitch``) and ``export`` (``arrays``, ``describe``).
"""
