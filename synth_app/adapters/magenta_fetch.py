"""Downloads Magenta's published generators: with progress, resumable, and checked as far as anything is known.

No hash of the archives is published, so a download is checked by its length, by the zip archive's own checksums, and
by the shapes of the tensors inside (``magenta_tensors``); its SHA-256 is told and kept, for whoever fetches it again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import platformdirs

from synth_app.adapters.magenta_files import MAX_FILE_BYTES
from synth_app.adapters.magenta_tensors import MANIFEST, shard_names
from synth_app.core.errors import CheckpointError

ARCHIVES = {
    "acoustic_only": "https://storage.googleapis.com/magentadata/models/gansynth/acoustic_only.zip",
    "all_instruments": "https://storage.googleapis.com/magentadata/models/gansynth/all_instruments.zip",
}
ATTEMPTS = 4
_PIECE_BYTES = 1 << 18
_TIMEOUT_S = 30.0
_MAX_MANIFEST_BYTES = 4 << 20

Progress = Callable[[int, int | None], None]
"""Told (bytes at hand, bytes in all or ``None``)."""


@dataclass(frozen=True, slots=True)
class Download:
    """A finished download."""

    path: Path
    url: str
    size: int
    sha256: str


def downloads_dir() -> Path:
    """Where archives are kept between attempts."""
    return platformdirs.user_cache_path("synth_app", appauthor=False) / "downloads"


def fetch_archive(name: str, folder: Path | None = None, progress: Progress | None = None) -> Download:
    """Download one of :data:`ARCHIVES` and check it; an archive that is there and whole is used again.

    Raises:
        CheckpointError: no such name, no network, or what came is damaged.
    """
    if name not in ARCHIVES:
        raise CheckpointError(f"Magenta published no generator {name!r}; choose one of {', '.join(ARCHIVES)}.")
    return fetch_zip(ARCHIVES[name], (folder or downloads_dir()) / f"{name}.zip", progress)


def fetch_zip(url: str, path: Path, progress: Progress | None = None) -> Download:
    """Download a zip archive and prove every member by its checksum."""
    kept = _kept(path, url)
    found = kept or download(url, path, progress)
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except Exception as error:  # zipfile lets zlib's and its own errors through
        _forget(path)
        raise CheckpointError(f"What came from {url} is no whole zip archive ({error}); fetch it again.") from error
    if bad:
        _forget(path)
        raise CheckpointError(f"{bad} in the archive from {url} is damaged; fetch it again.")
    if kept is None:
        _note(path).write_text(json.dumps({"url": url, "size": found.size, "sha256": found.sha256}), encoding="utf-8")
    return found


def fetch_tfjs(url: str, folder: Path, progress: Progress | None = None) -> Path:
    """Download a tf.js weights manifest and the shards that it names, into a folder of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    download(url, folder / MANIFEST, None, _MAX_MANIFEST_BYTES)
    for name in shard_names((folder / MANIFEST).read_bytes()):
        if "/" in name:
            raise CheckpointError(f"The weights manifest names the shard {name!r} in another folder, so it is refused.")
        download(urljoin(url, name), folder / name, progress)
    return folder


def download(url: str, path: Path, progress: Progress | None = None, limit: int = MAX_FILE_BYTES) -> Download:
    """Download a file; what an earlier attempt left (``.part``) is continued if the server's file is the same still.

    Raises:
        CheckpointError: the address is none, the server says no, the connection breaks again and again, the disk is
            full, or the file is larger than ``limit``.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise CheckpointError(f"{url} is no web address; give one that begins with https://.")
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.25 * 2**attempt)
            if _continue(url, partial, progress, limit):
                break
        else:
            raise CheckpointError(f"The connection to {urlsplit(url).netloc} broke {ATTEMPTS} times; try again later.")
        partial.replace(path)
        _tag(partial).unlink(missing_ok=True)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Download(path, url, path.stat().st_size, sha256)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}); free some space or check permissions."
        ) from error


def _continue(url: str, partial: Path, progress: Progress | None, limit: int) -> bool:
    """One attempt; whether the file is whole now."""
    have = partial.stat().st_size if partial.exists() else 0
    tag = _tag(partial).read_text("utf-8") if have and _tag(partial).exists() else ""
    headers = {"User-Agent": "synth_app", "Accept-Encoding": "identity"}
    if have and tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    try:
        with contextlib.closing(_open(urllib.request.Request(url, headers=headers))) as response:
            start, total = _extent(response, have)
            if total is not None and total > limit:
                raise CheckpointError(
                    f"The file at {url} has {total} bytes, more than any generator, so it is refused."
                )
            _tag(partial).write_text(_identity(response), encoding="utf-8")
            return _receive(response, partial, start, total, progress, limit)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # what is here does not fit what is there: begin anew
            partial.unlink(missing_ok=True)
            return False
        raise CheckpointError(
            f"The server answered {error.code} ({error.reason}) to {url}; check the address."
        ) from error
    except urllib.error.URLError as error:
        raise CheckpointError(
            f"{urlsplit(url).netloc} cannot be reached ({error.reason}); check the network."
        ) from error
    except (HTTPException, ConnectionError, TimeoutError):
        return False


def _receive(response: HTTPResponse, partial: Path, start: int, total: int | None, progress: Progress | None,
             limit: int) -> bool:  # fmt: skip
    size = start
    with partial.open("r+b" if start else "wb") as file:
        file.seek(start)
        file.truncate()
        while piece := response.read(_PIECE_BYTES):
            file.write(piece)
            size += len(piece)
            if size > limit:
                raise CheckpointError("The file is larger than any generator, so it is refused.")
            if progress is not None:
                progress(size, total)
    return total is None or size == total


def _open(request: urllib.request.Request) -> Any:
    """Open over http and https only, redirects included: no files, no ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPRedirectHandler, urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener.open(request, timeout=_TIMEOUT_S)


def _extent(response: HTTPResponse, have: int) -> tuple[int, int | None]:
    """(where this answer begins, size of the whole file), from its status and headers."""
    length = response.headers.get("Content-Length")
    size = int(length) if length and length.isdigit() else None
    if response.status == 206:
        said = response.headers.get("Content-Range", "")  # bytes 100-199/200
        first, _, total = said.removeprefix("bytes ").partition("-")[0], "", said.rpartition("/")[2]
        if first == str(have):
            return have, int(total) if total.isdigit() else None
        raise CheckpointError("The server continued the file at another place than asked; fetch it again.")
    return 0, size


def _identity(response: HTTPResponse) -> str:
    """What tells this version of the file from another; without it nothing is continued."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _tag(partial: Path) -> Path:
    return partial.with_name(partial.name + ".tag")


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)
    _note(path).unlink(missing_ok=True)


def _kept(path: Path, url: str) -> Download | None:
    """An earlier download that is still what was noted then."""
    try:
        said = json.loads(_note(path).read_text("utf-8"))
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if said["url"] == url and said["sha256"] == sha256:
            return Download(path, url, path.stat().st_size, sha256)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None
