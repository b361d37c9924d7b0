"""The errors a player can meet. Each message is one sentence that says what happened and what to do.

Adapters translate vendor exceptions into these; the command line prints the message and exits with code 2; the panel
shows it in a banner. A bug is never a ``SynthAppError``: it keeps its own type and its traceback.
"""


class SynthAppError(Exception):
    """Something outside the program is wrong, and the message tells the player how to mend it."""


class ModelError(SynthAppError):
    """A model directory is missing, damaged, of another version, or does not fit this program."""


class CheckpointError(SynthAppError):
    """A checkpoint to import or resume from is missing, damaged, or of the wrong shape."""


class PresetError(SynthAppError):
    """A preset is missing, damaged, or asks for something this model does not have."""


class DeviceError(SynthAppError):
    """An audio or MIDI device is missing or refused what was asked of it."""


class FileFormatError(SynthAppError):
    """A file (MIDI, WAV, soundfont, data set) cannot be read or written as what it should be."""


class SettingsError(SynthAppError):
    """A setting is out of range or a settings file is damaged."""
