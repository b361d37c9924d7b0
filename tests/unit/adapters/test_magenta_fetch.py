"""Downloads from a local server: progress, resuming, and every way in which what comes is not what was asked."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from synth_app.adapters import magenta_checkpoint, magenta_fetch
from synth_app.adapters.magenta_checkpoint import fetch_model, import_checkpoint
from synth_app.adapters.magenta_fetch import download, fetch_archive, fetch_zip
from synth_app.adapters.magenta_files import open_files
from synth_app.adapters.magenta_tensors import read_weights
from synth_app.core.errors import CheckpointError
from tests.unit.adapters.bundle_writer import write_tfjs

TINY = Path(__file__).parents[2] / "data" / "magenta" / "tiny_checkpoint"


class Server(ThreadingHTTPServer):
    """Files from memory, with ranges and ETags, and the ways in which servers fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.ranges: list[str] = []
        self.etag = '"one"'
        self.break_after = 0  # bytes; 0 = never
        self.breaks_left = 0
        self.ignore_ranges = False
        self.status = 0
        self.redirect = ""
        self.lie_about_range = False

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken pipes are what is tested."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        s = self.server
        name = self.path.lstrip("/")
        if s.redirect:
            self.send_response(302)
            self.send_header("Location", s.redirect)
            self.end_headers()
            return
        if s.status or name not in s.files:
            self.send_error(s.status or 404)
            return
        data, start = s.files[name], 0
        asked = self.headers.get("Range", "")
        s.ranges.append(asked)
        if asked and not s.ignore_ranges and self.headers.get("If-Range") == s.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_error(416)
                return
            self.send_response(206)
            said = start + 1 if s.lie_about_range else start
            self.send_header("Content-Range", f"bytes {said}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        if s.etag:
            self.send_header("ETag", s.etag)
        self.end_headers()
        part = data[start:]
        if s.breaks_left:
            s.breaks_left -= 1
            part = part[: s.break_after]
            self.close_connection = True
        self.wfile.write(part)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(magenta_fetch.time, "sleep", lambda _: None)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("zip") / "tiny.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for file in [*sorted(TINY.rglob("*.*-*")), TINY / "stage_00012" / "checkpoint"]:
            out.write(file, f"acoustic_only/stage_00012/{file.name}")
    return path.read_bytes()


def test_an_archive_is_fetched_checked_and_made_a_model(
    server: Server, archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["a.zip"] = archive
    monkeypatch.setitem(magenta_fetch.ARCHIVES, "acoustic_only", server.url("a.zip"))
    monkeypatch.setattr(magenta_fetch, "downloads_dir", lambda: tmp_path / "downloads")
    seen: list[tuple[int, int | None]] = []
    report = fetch_model("acoustic_only", tmp_path / "models" / "acoustic_only", lambda n, of: seen.append((n, of)))
    sha256 = hashlib.sha256(archive).hexdigest()
    assert report.sha256 == report.manifest.notes["archive_sha256"] == sha256
    assert sha256 in (report.directory / "README.md").read_text()
    assert seen[-1] == (len(archive), len(archive))
    assert [n for n, _ in seen] == sorted(n for n, _ in seen)
    asked = len(server.ranges)
    again = fetch_archive("acoustic_only")
    assert again.sha256 == sha256
    assert len(server.ranges) == asked, "what is there and whole is not fetched again"
    with pytest.raises(CheckpointError, match="there already"):
        fetch_model("acoustic_only", report.directory)
    with pytest.raises(CheckpointError, match="acoustic_only, all_instruments"):
        fetch_archive("kazoo")


def test_a_broken_connection_is_resumed_where_it_broke(server: Server, archive: bytes, tmp_path: Path) -> None:
    server.files["a.zip"] = archive
    server.break_after, server.breaks_left = 300_000, 2
    found = fetch_zip(server.url("a.zip"), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == archive
    assert found.size == len(archive)
    assert server.ranges == ["", "bytes=300000-", "bytes=600000-"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "a.zip.json"]


def test_a_download_given_up_is_continued_next_time(server: Server, archive: bytes, tmp_path: Path) -> None:
    server.files["a.zip"] = archive
    server.break_after, server.breaks_left = 100_000, magenta_fetch.ATTEMPTS
    with pytest.raises(CheckpointError, match="try again later"):
        download(server.url("a.zip"), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    download(server.url("a.zip"), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == archive
    assert server.ranges[-1] == f"bytes={100_000 * magenta_fetch.ATTEMPTS}-"


@pytest.mark.parametrize("way", ["changed", "no tag", "ranges ignored", "grown smaller"])
def test_another_file_is_never_glued_to_an_old_beginning(
    server: Server, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = np.random.default_rng(0).bytes(400_000), np.random.default_rng(1).bytes(350_000)
    server.files["f"] = old
    server.etag = "" if way == "no tag" else '"one"'
    server.break_after, server.breaks_left = 390_000, 1
    with monkeypatch.context() as once:
        once.setattr(magenta_fetch, "ATTEMPTS", 1)
        with pytest.raises(CheckpointError):
            download(server.url("f"), tmp_path / "f")
    server.files["f"] = new
    if way == "changed":
        server.etag = '"two"'
    server.ignore_ranges = way == "ranges ignored"
    download(server.url("f"), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == new


def test_a_server_that_continues_elsewhere_is_refused(server: Server, tmp_path: Path) -> None:
    server.files["f"] = bytes(300_000)
    server.break_after, server.breaks_left, server.lie_about_range = 100_000, 1, True
    with pytest.raises(CheckpointError, match="another place"):
        download(server.url("f"), tmp_path / "f")


def test_damage_in_the_archive_is_found_and_not_kept(server: Server, archive: bytes, tmp_path: Path) -> None:
    data = bytearray(archive)
    for place in range(50_000, 50_100):
        data[place] ^= 0xFF
    server.files["a.zip"] = bytes(data)
    with pytest.raises(CheckpointError, match="fetch it again"):
        fetch_zip(server.url("a.zip"), tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []
    server.files["a.zip"] = b"<html>Sign in</html>" * 100
    with pytest.raises(CheckpointError, match="no whole zip archive"):
        fetch_zip(server.url("a.zip"), tmp_path / "a.zip")


def test_servers_answers_are_one_sentence(server: Server, tmp_path: Path) -> None:
    for status in (404, 403, 500):
        server.status = status
        with pytest.raises(CheckpointError, match=str(status)) as caught:
            download(server.url("x"), tmp_path / "x")
        assert "\n" not in str(caught.value)
    server.status, server.redirect = 0, "file:///etc/passwd"
    with pytest.raises(CheckpointError):
        download(server.url("x"), tmp_path / "x")
    assert not (tmp_path / "x").exists()
    for address in ("file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense"):
        with pytest.raises(CheckpointError, match="no web address"):
            download(address, tmp_path / "x")


def test_no_network_is_one_sentence(server: Server, tmp_path: Path) -> None:
    other = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{other.server_address[1]}/x"
    other.server_close()
    with pytest.raises(CheckpointError, match="cannot be reached"):
        download(address, tmp_path / "x")


def test_too_large_is_refused_before_and_while_it_comes(server: Server, tmp_path: Path) -> None:
    server.files["f"] = bytes(200_000)
    with pytest.raises(CheckpointError, match="more than any generator"):
        download(server.url("f"), tmp_path / "f", limit=1000)


def test_a_disk_that_cannot_be_written_is_one_sentence(server: Server, tmp_path: Path) -> None:
    server.files["f"] = bytes(10)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="cannot be written"):
        download(server.url("f"), tmp_path / "file" / "f")


def test_import_from_an_address_archive_and_tfjs(server: Server, archive: bytes, tmp_path: Path) -> None:
    server.files["x/tiny.zip"] = archive
    report = import_checkpoint(server.url("x/tiny.zip"), tmp_path / "zip", "zip")
    assert report.manifest.notes["source"] == server.url("x/tiny.zip")
    manifest = write_tfjs(tmp_path / "js", read_weights(open_files(TINY)).tensors, shard_bytes=200_000)
    for path in manifest.parent.iterdir():
        server.files[f"js/{path.name}"] = path.read_bytes()
    second = import_checkpoint(server.url("js/weights_manifest.json"), tmp_path / "out", "js")
    assert second.manifest.graph.sha256 == report.manifest.graph.sha256
    server.files["js/weights_manifest.json"] = b'[{"paths": ["../secret"], "weights": []}]'
    with pytest.raises(CheckpointError, match="points outside"):
        import_checkpoint(server.url("js/weights_manifest.json"), tmp_path / "other", "js")
    assert not (tmp_path / "other").exists()
    assert len(report.manifest.anchors) == magenta_checkpoint.DRAWS
