"""synth_app: a live MIDI instrument whose voice is a GANSynth generator.

The floors of the house, top to bottom (imports only point down): ``app``, ``ui`` beside ``training``, ``adapters``,
``engine``, ``performer`` beside ``render``, ``midi`` beside ``timbre``, ``dsp`` and ``spectral``, and ``core``.
Start reading at ``docs/design.md``.
"""

__version__ = "0.1.0"
