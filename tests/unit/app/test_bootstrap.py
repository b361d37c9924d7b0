"""The bootstrap that ./play and ./check share, with a made-up apt, dpkg, id and uv on PATH."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Bash = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[3]
TOOLS = {
    "id": 'echo "$FAKE_UID"',
    "uname": "echo Linux",
    "dpkg-query": 'for n in "${@:4}"; do case " $FAKE_INSTALLED " in *" $n "*) echo installed;; esac; done; exit 1',
    "apt-cache": 'case " $FAKE_AVAILABLE " in *" $2 "*) echo "  Candidate: 1.0";; *) echo "  Candidate: (none)";; esac',
    "apt-get": 'echo "apt-get $*" >>"$FAKE_LOG"',
    "uv": 'echo "uv $FAKE_UV_VERSION (somewhere)"',
}


@pytest.fixture
def bash(tmp_path: Path) -> Bash:
    """Run a line of bash after sourcing the bootstrap; returns (exit code, what it said, what apt was asked)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in TOOLS.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)
    log = tmp_path / "apt.log"

    def run(line: str, **facts: str) -> tuple[int, str, str]:
        log.unlink(missing_ok=True)
        without = facts.pop("without", "")
        if without:
            (folder / without).unlink()
        known = {"FAKE_UID": "0", "FAKE_INSTALLED": "", "FAKE_AVAILABLE": "", "FAKE_UV_VERSION": "0.9.1"}
        # Only what the scripts themselves need of the real system.
        path = tmp_path / "system"
        path.mkdir(exist_ok=True)
        for tool in ("bash", "dirname", "grep", "sort", "head", "cut", "env", "python3"):
            link = path / tool
            if not link.exists():
                link.symlink_to(
                    next(Path(p) / tool for p in os.environ["PATH"].split(":") if (Path(p) / tool).exists())
                )
        result = subprocess.run(
            ["bash", "-c", f"source {ROOT}/tools/bootstrap.sh; {line}"],
            env={"PATH": f"{folder}:{path}", "FAKE_LOG": str(log), "HOME": str(tmp_path), **known, **facts},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=30,
        )
        return result.returncode, result.stdout + result.stderr, log.read_text() if log.exists() else ""

    return run


def test_root_installs_only_what_is_missing(bash: Bash) -> None:
    code, said, asked = bash("need_packages liba libb", FAKE_INSTALLED="liba", FAKE_AVAILABLE="liba libb")
    assert code == 0
    assert "Installing system packages: libb" in said
    assert asked.splitlines()[-1].endswith("install -y --no-install-recommends libb")


def test_nothing_missing_asks_nothing(bash: Bash) -> None:
    assert bash("need_packages liba", FAKE_INSTALLED="liba") == (0, "", "")


def test_a_name_of_64_bit_time_is_as_good(bash: Bash) -> None:
    assert bash("need_packages liba", FAKE_INSTALLED="libat64") == (0, "", "")
    _code, _said, asked = bash("need_packages liba", FAKE_AVAILABLE="libat64")
    assert asked.splitlines()[-1].endswith(" libat64")


def test_a_package_that_nobody_has_does_not_keep_the_others_away(bash: Bash) -> None:
    code, said, asked = bash("need_packages ghost libb", FAKE_AVAILABLE="libb")
    assert code == 0
    assert "apt has no package ghost" in said
    assert asked.splitlines()[-1].endswith(" libb")


def test_without_leave_it_names_the_command_and_goes_on(bash: Bash) -> None:
    code, said, asked = bash("need_packages liba libb; echo on it goes", FAKE_UID="1000", FAKE_AVAILABLE="liba libb")
    assert code == 0
    assert "sudo apt-get install --no-install-recommends liba libb" in said
    assert "on it goes" in said
    assert asked == ""


def test_other_systems_are_told_the_list(bash: Bash) -> None:
    code, said, _asked = bash("need_packages liba libb", without="apt-get")
    assert code == 0
    assert "counterparts of: liba libb" in said


def test_a_uv_at_hand_is_used_unless_it_is_too_old(bash: Bash) -> None:
    assert bash('find_uv; echo "$UV"')[1].strip().endswith("/bin/uv")
    assert bash("uv_on_path || echo too old", FAKE_UV_VERSION="0.4.30")[1] == "too old\n"
    assert bash("uv_on_path && echo fine", FAKE_UV_VERSION="0.10.0")[1] == "fine\n"


def test_the_scripts_are_sound_bash() -> None:
    for script in ("play", "check", ".ci/run", "tools/bootstrap.sh", "tools/torch.sh"):
        subprocess.run(["bash", "-n", ROOT / script], check=True)
        if not script.startswith("tools"):
            assert os.access(ROOT / script, os.X_OK), f"{script} must be executable"
