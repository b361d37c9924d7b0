"""MIDI bytes and messages to events, and back."""
