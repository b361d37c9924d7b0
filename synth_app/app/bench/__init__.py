"""The benchmark: what the instrument costs on this machine, in one table, with its history in version control.

Each scenario is a small function from a :class:`~synth_app.app.bench.setting.Setting` to rows. Whatever is compared is
measured in the same run, in turns, so that the ratios hold on a busy machine too. A scenario that cannot run says why
in a row of its own: nothing is left out silently. Start with :func:`synth_app.app.bench.run.run_bench`.
"""
