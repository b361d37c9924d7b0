"""How good a voice is: everything that ``synth_app.training.evaluate`` measures, one module for each question.

``subject`` opens what is measured and paints with it, ``hearing`` weighs every note against the one it should be
(``modulation``, ``envelope``), ``likeness`` asks whose note it is, ``judging_net`` and ``distribution`` compare the
whole crowd of notes with real ones, ``paths`` walks between timbres. ``bar`` says what is asked for, ``report`` writes
it down, ``pictures`` draws it. The judging net is trained by ``train_judge``, on real notes only.
"""
