"""Running the benchmark: which scenarios there are, in which order, and what becomes of their rows."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from synth_app.adapters.generator_onnx import cuda_missing
from synth_app.app.bench import callback, live, notes
from synth_app.app.bench.facts import OthersMeter, load_average, machine_facts
from synth_app.app.bench.rows import Report, Row, skip
from synth_app.app.bench.setting import Scenario, Setting
from synth_app.app.bench.show import print_report, write_json, write_markdown
from synth_app.app.bench.subjects import default_model_installed, make_subjects
from synth_app.core.errors import SynthAppError

log = logging.getLogger(__name__)

MEMORY_S, QUICK_MEMORY_S = 60.0, 4.0
PIPED_WIDTH = 170
"""Columns of the table where no terminal says how many there are."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A scenario, and the group its rows stand in when it cannot run."""

    name: str
    group: str
    scenario: Scenario


ENTRIES = (
    Entry("callback", callback.GROUP, callback.callback_times),
    Entry("stream", callback.GROUP, live.stream_callbacks),
    Entry("notes", notes.RENDER, notes.note_times),
    Entry("timbre", notes.TIMBRE, notes.new_timbre),
    Entry("piece", notes.TIMBRE, notes.whole_piece),
    Entry("start", live.START, live.start_up),
    Entry("cached", live.CACHED, live.cached_key),
    Entry("cold", live.COLD, live.cold_keys),
    Entry("held", live.HELD, live.held_notes),
    Entry("memory", live.MEMORY, live.memory),
    Entry("gpu", notes.GPU, notes.gpu),
    Entry("peer", notes.PEER, notes.closest_peer),
    Entry("published", "Published elsewhere, on other machines", notes.published),
)
"""Every scenario, in the order of the table."""


def run_bench(
    json_file: Path | None = None,
    *,
    markdown_file: Path | None = None,
    quick: bool = False,
    only: Sequence[str] = (),
    model: str = "",
    memory_minutes: float = 0.0,
    console: Console | None = None,
) -> Report:
    """Measure, print one table, and write the files that were asked for.

    Args:
        json_file: everything, for comparing. markdown_file: the table as a page.
        quick: few measurements of a very small generator, in less than a minute.
        only: names of scenarios (see :data:`ENTRIES`); all when empty.
        model: what the whole program plays; "" = the default model, or the built-in partials where there is none.
        memory_minutes: how long random play goes on; 0 = a minute.
        console: to print to; ``None`` = standard output.

    Raises:
        SynthAppError: there is no such scenario or model, or a file cannot be written.
    """
    entries = _chosen(only)
    began = time.monotonic()
    facts = machine_facts("the CPU" if cuda_missing() else "CUDA where asked")
    console = console or Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    words = Console(stderr=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="synth-app-bench-") as name:
        folder = Path(name)
        with words.status("making generators") as status:
            memory_s = 60.0 * memory_minutes or (QUICK_MEMORY_S if quick else MEMORY_S)
            setting = Setting(
                quick=quick, folder=folder, subjects=make_subjects(folder, quick, 2026),
                model=model or ("" if default_model_installed() else "partials"), memory_s=memory_s, say=status.update,
            )  # fmt: skip
            for done, entry in enumerate(entries):
                status.update(entry.group)
                try:
                    rows += _run(entry, setting)
                except KeyboardInterrupt:  # what was measured so far is worth keeping
                    rows += [skip(left.group, left.name, "stopped by hand") for left in entries[done:]]
                    break
    report = Report(replace(facts, load_after=load_average()), tuple(rows), quick, time.monotonic() - began)
    print_report(report, console)
    if json_file is not None:
        write_json(report, json_file)
    if markdown_file is not None:
        write_markdown(report, markdown_file)
    return report


def _chosen(only: Sequence[str]) -> Sequence[Entry]:
    names = [entry.name for entry in ENTRIES]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise SynthAppError(f"There is no scenario {unknown[0]!r}; choose from {', '.join(names)}.")
    return [entry for entry in ENTRIES if not only or entry.name in only]


def _run(entry: Entry, setting: Setting) -> list[Row]:
    """A scenario's rows, with how busy the machine was; one row that says why, when it cannot run."""
    meter = OthersMeter()
    meter.start()
    try:
        rows = list(entry.scenario(setting))
    except SynthAppError as error:
        return [skip(entry.group, entry.name, str(error).rstrip("."))]
    except Exception as error:  # one scenario that is broken shall not cost the figures of the others
        log.exception("the scenario %r failed", entry.name)
        return [skip(entry.group, entry.name, f"it failed ({error!r})")]
    share = meter.share() if entry.name != "published" else None
    return [replace(row, others_cpu=share) for row in rows]
