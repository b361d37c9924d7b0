"""The panel (PyQt6). It sees the instrument only through :mod:`synth_app.engine.ports` and its telemetry.

``view_models`` hold the thinking and know no widgets; ``widgets`` and ``dialogs`` draw and listen; ``document`` is the
sound being edited, with its history; ``bridge`` is the one place where the panel meets the instrument; ``main`` opens
the window.
"""
