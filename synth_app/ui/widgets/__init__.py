"""Thin widgets: they draw a view model and turn gestures into its calls."""
