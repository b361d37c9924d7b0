"""``python -m synth_app`` is ``synth-app``."""

from synth_app.app.cli import main

if __name__ == "__main__":
    main()
