"""Sound as two pictures, and back again.

A note of four seconds is seen as 128 frames by 1024 bands of two quantities: the log of the power, and the
instantaneous frequency, which is how far the phase turns from one frame to the next. That is what the generator
paints. This package holds the maths in both directions:

- ``config``: the sizes, and the two phase conventions ("magenta" and "centred");
- ``stft``: windowed Fourier frames and their overlap-add inverse;
- ``mel``: the table between linear bins and mel bands, with all its quirks;
- ``inst_freq``: phase to instantaneous frequency and back;
- ``locking``: one phase for all the bins of a partial, found at its peak;
- ``normaliser``: the affine map onto the generator's range;
- ``codec``: whole notes at once, the reference for everything else;
- ``streaming``: the same, frame by frame, with a state that can be forked and fast-forwarded.
"""
