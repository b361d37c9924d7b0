"""Rows say what was measured and no more, and hold it against what was asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from synth_app.app.bench import facts, show
from synth_app.app.bench.rows import MEDIAN, ONLY, P95, P999, WORST, Reach, Report, measured, single, skip, unmet
from synth_app.core.errors import FileFormatError


def test_percentiles_only_where_they_mean_something() -> None:
    few = measured("g", "n", [3.0, 1.0, 2.0], "ms")
    assert (few.median, few.p95, few.p99, few.p99_9, few.worst, few.count) == (2.0, None, None, None, 3.0, 3)
    many = measured("g", "n", np.arange(1000), "ms")
    assert many.p95 == pytest.approx(949.05)
    assert many.p99 == pytest.approx(989.01)
    assert many.p99_9 == pytest.approx(998.001)


def test_where_more_is_better_the_bad_end_is_the_low_one() -> None:
    row = measured("g", "n", np.arange(1000), "times", Reach(P95, 100.0, at_least=True))
    assert row.p95 == pytest.approx(49.95)
    assert row.worst == 0.0
    assert row.met is False
    assert row.reach == "p95 >= 100 times"


@pytest.mark.parametrize(("limit", "met"), [(2.0, True), (1.9, False)])
def test_a_limit_is_met_or_missed(limit: float, met: bool) -> None:
    assert measured("g", "n", [1.0, 2.0, 3.0], "ms", Reach(MEDIAN, limit)).met is met
    row = single("g", "n", 2.0, "ms", Reach(ONLY, limit))
    assert row.met is met
    assert row.of_limit == pytest.approx(2.0 / limit)


def test_a_limit_of_nothing_has_no_ratio() -> None:
    assert single("g", "n", 1.0, "voices", Reach(ONLY, 0.0)).of_limit is None


def test_with_too_few_values_the_worst_stands_for_the_percentile() -> None:
    assert measured("g", "n", [1.0, 5.0], "ms", Reach(P999, 4.0)).met is False
    assert measured("g", "n", [1.0, 5.0], "ms", Reach(P95, 5.0)).met is True
    assert measured("g", "n", [1.0, 5.0], "ms", Reach(WORST, 5.0)).reach == "worst <= 5 ms"


def test_nothing_measured_is_said() -> None:
    row = measured("g", "n", [], "ms", Reach(MEDIAN, 1.0))
    assert row.skipped
    assert row.met is None


@pytest.fixture
def report() -> Report:
    rows = (
        measured("Callback", "64 frames", np.linspace(1.0, 2.0, 2000), "us", Reach(P999, 1.5), "beside others"),
        replace(single("Latency", "jitter", 0.012, "ms", Reach(ONLY, 0.1)), others_cpu=0.25),
        skip("GPU", "one note", "no CUDA here", "ms", Reach(P95, 2.0)),
    )
    here = replace(facts.machine_facts("CPU"), load_before=(1.0, 2.0, 3.0), load_after=(2.0, 2.0, 2.0))
    return Report(here, rows, quick=False, seconds=12.0)


def test_json_holds_everything(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    show.write_json(report, path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == 1
    assert document["facts"]["cores"] >= 1
    assert [row["name"] for row in document["rows"]] == ["64 frames", "jitter", "one note"]
    assert document["rows"][0]["met"] is False
    assert document["rows"][1]["others_cpu"] == 0.25
    assert document["rows"][2]["skipped"] == "no CUDA here"


def test_markdown_says_machine_load_misses_and_what_was_left_out(report: Report) -> None:
    text = show.as_markdown(report)
    assert (
        "| 64 frames [1] | us | 1.50 | 1.95 | 1.99 | 2.00 | 2.00 | 2000 | p99.9 <= 1.5 us | MISSED (1.33 of it) |  |"
        in text
    )
    assert "| one note | ms |  |  |  |  |  |  | p95 <= 2 ms | not measured: no CUDA here |  |" in text
    assert "1. beside others" in text
    assert "1.00 2.00 3.00 before" in text
    assert "Other programs used 25% to 25%" in text
    assert "this machine was not idle" in text
    assert "1 missed what they should reach, 1 not measured" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {12}


def test_the_table_in_the_terminal_shows_every_row(report: Report) -> None:
    console = Console(width=200, record=True, file=Path("/dev/null").open("w", encoding="utf-8"))  # noqa: SIM115
    show.print_report(report, console)
    console.file.close()
    text = console.export_text()
    for words in ("64 frames", "beside others", "MISSED", "jitter", "met", "not measured: no CUDA here", "12 s"):
        assert words in text


def test_a_place_that_cannot_be_written_is_one_sentence(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileFormatError, match="cannot be written"):
        show.write_markdown(report, tmp_path / "file" / "bench.md")


def test_unmet_counts_misses_only(report: Report) -> None:
    assert unmet(report.rows) == 1


def test_the_facts_name_no_host_and_no_path() -> None:
    import platform

    text = json.dumps(facts.machine_facts("CPU").libraries) + facts.machine_facts("CPU").system
    assert platform.node() not in text or not platform.node()
    assert str(Path.home()) not in text


def test_others_use_of_the_processor_is_a_share() -> None:
    meter = facts.OthersMeter()
    meter.start()
    assert meter.share() is None  # too soon to say
