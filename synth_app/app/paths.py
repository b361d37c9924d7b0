"""Where things live: what the program brings with it, and the player's own folders on this system."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

from synth_app.core.errors import FileFormatError

APP_NAME = "synth_app"
DEMO_TUNE = "presets/demo/bach_bwv1007_prelude.mid"
_PACKAGE = Path(__file__).resolve().parents[1]


def bundled(relative: str) -> Path:
    """A file or folder that comes with the program: from the checkout, or from inside an installed wheel."""
    in_checkout = _PACKAGE.parent / relative
    return in_checkout if in_checkout.exists() else _PACKAGE / "_data" / relative


def settings_path() -> Path:
    """The player's settings file."""
    return platformdirs.user_config_path(APP_NAME, appauthor=False) / "settings.toml"


def notes_dir() -> Path:
    """Where first slices of presets' timbres are kept from one start to the next; may be deleted at any time."""
    return platformdirs.user_cache_path(APP_NAME, appauthor=False) / "notes"


def music_dir() -> Path:
    """The player's music folder, whether it exists or not."""
    return platformdirs.user_music_path()


def recordings_dir() -> Path:
    """Where recordings go when nobody says otherwise; made on demand.

    The player's music folder; where it cannot be written to, a folder among the temporary files.

    Raises:
        FileFormatError: neither can be written to.
    """
    for parent in (music_dir(), Path(tempfile.gettempdir())):
        folder = parent / APP_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise FileFormatError(f"No folder for recordings can be written to: neither {music_dir()} nor temp.")


def ensure_numba_cache() -> None:
    """Let numba keep its compiled code where it can never be stale. Call before anything imports numba.

    numba notices when the file of a compiled function changes, but not when a function it calls from another file does:
    an updated mixer would go on running its old code. So the folder is named after all kernels together. Where the
    player's cache folder cannot be written to, a private folder among the temporary files serves.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    try:
        cache = platformdirs.user_cache_path(APP_NAME, appauthor=False) / "numba"
        cache.mkdir(parents=True, exist_ok=True)
        folder = cache if os.access(cache, os.W_OK) else Path(_private_temp_folder())
    except OSError:
        folder = Path(_private_temp_folder())
    here = folder / _kernels_digest()
    if not here.exists():
        for old in folder.iterdir():
            shutil.rmtree(old, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(here)


def _kernels_digest() -> str:
    """Changes whenever the source of any compiled function does."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if b"numba" in source or path.parent.name in ("engine", "spectral"):
            digest.update(source)
    return digest.hexdigest()[:16]


def _private_temp_folder() -> str:
    """A folder that stays across starts, unless someone else could have put things into it."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"{APP_NAME}-numba-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        mode = folder.lstat()
    except OSError:
        return tempfile.mkdtemp(prefix=f"{APP_NAME}-numba-")
    mine = not hasattr(os, "getuid") or (mode.st_uid == os.getuid() and mode.st_mode & 0o077 == 0)
    return str(folder) if mine and not folder.is_symlink() else tempfile.mkdtemp(prefix=f"{APP_NAME}-numba-")
