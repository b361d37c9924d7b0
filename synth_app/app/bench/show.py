"""A report for eyes (a table in the terminal), for programs (JSON) and for the history (Markdown)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from synth_app.app.bench.rows import Facts, Report, Row, unmet
from synth_app.core.errors import FileFormatError

BUSY = 0.15
"""Share of the processor from which other programs' use is worth a warning."""

_SCHEMA = 1
_COLUMNS = ("Scenario", "Unit", "Median", "p95", "p99", "p99.9", "Worst", "n", "Should reach", "")
_VERDICTS = {True: "met", False: "MISSED", None: ""}


def print_report(report: Report, console: Console) -> None:
    """One table."""
    table = Table(title=_title(report.facts), title_justify="left", header_style="bold", pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in _COLUMNS[2:8] else "left", overflow="fold")
    group = ""
    for row in report.rows:
        if row.group != group:
            group = row.group
            table.add_section()
            table.add_row(f"[bold]{group}[/bold]")
        cells = _cells(row)
        style = {True: "green", False: "red", None: ""}[row.met]
        table.add_row(*cells[:-1], f"[{style}]{cells[-1]}[/{style}]" if style else cells[-1])
        if row.skipped or row.note:
            table.add_row(f"  [dim]{'not measured: ' + row.skipped if row.skipped else row.note}[/dim]")
    console.print(table)
    for line in _remarks(report):
        console.print(line, markup=False, highlight=False)


def write_json(report: Report, path: Path) -> None:
    """Everything, for comparing.

    Raises:
        FileFormatError: the file cannot be written.
    """
    _write(path, json.dumps({"schema": _SCHEMA, **asdict(report)}, indent=1, ensure_ascii=False) + "\n")


def write_markdown(report: Report, path: Path) -> None:
    """The table as a page of the documentation.

    Raises:
        FileFormatError: the file cannot be written.
    """
    _write(path, as_markdown(report))


def as_markdown(report: Report) -> str:
    """The report as Markdown."""
    facts = report.facts
    lines = ["# Benchmarks", "", "Written by `make bench`; to be read with the load it was measured under.", ""]
    lines += [f"- {line}" for line in (_title(facts), *_fact_lines(facts), *_remarks(report))]
    group, notes = "", list[str]()
    for row in report.rows:
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", "| " + " | ".join(_COLUMNS[:-1]) + " | | others' CPU |"]
            lines.append("|---|---|" + "---:|" * 6 + "---|---|---:|")
        mark = ""
        if row.note:
            notes.append(f"{len(notes) + 1}. {row.note}")
            mark = f" [{len(notes)}]"
        cells = _cells(row)
        if row.skipped:
            cells[2:] = ["", "", "", "", "", "", row.reach, f"not measured: {row.skipped}"]
        cells[0] += mark
        others = "" if row.others_cpu is None else f"{row.others_cpu:.0%}"
        lines.append("| " + " | ".join([*cells, others]) + " |")
    if notes:
        lines += ["", "## Notes", "", *notes]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    figures = [_figure(value) for value in (row.median, row.p95, row.p99, row.p99_9, row.worst)]
    verdict = _VERDICTS[row.met] + (f" ({row.of_limit:.2f} of it)" if row.of_limit is not None else "")
    return [row.name, row.unit, *figures, str(row.count or ""), row.reach, verdict]


def _figure(value: float | None) -> str:
    """Three significant digits, in full."""
    if value is None:
        return ""
    if value == 0.0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - (len(str(int(abs(value)))) - 1))}f}" if abs(value) >= 1 else f"{value:.3g}"


def _title(facts: Facts) -> str:
    return f"{facts.program}, {facts.date}, {facts.processor}, {facts.cores} cores"


def _fact_lines(facts: Facts) -> list[str]:
    libraries = ", ".join(f"{name} {version}" for name, version in facts.libraries.items())
    return [f"{facts.system}, {facts.memory_gb} GB, Python {facts.python}, {libraries}; renders on {facts.provider}"]


def _remarks(report: Report) -> list[str]:
    facts = report.facts
    lines = []
    if facts.load_before:
        before, after = (" ".join(f"{v:.2f}" for v in load) for load in (facts.load_before, facts.load_after))
        lines.append(f"Load average over 1, 5 and 15 minutes: {before} before, {after} after (ours included).")
    shares = [row.others_cpu for row in report.rows if row.others_cpu is not None]
    if shares:
        lines.append(
            f"Other programs used {min(shares):.0%} to {max(shares):.0%} of the processor while the rows were measured."
        )
        if max(shares) > BUSY:
            lines.append(
                "So this machine was not idle, as the limits suppose: whatever renders took longer by what the others "
                "took. Ratios were measured in turns and hold; what runs at real-time priority is hardly touched."
            )
    skipped = sum(bool(row.skipped) for row in report.rows)
    lines.append(
        f"{len(report.rows)} rows in {report.seconds:.0f} s; {unmet(report.rows)} missed what they should reach, "
        f"{skipped} not measured."
    )
    if report.quick:
        lines.append("A quick run: few measurements of a very small generator; these are no figures to go by.")
    return [*lines, *report.remarks]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileFormatError(f"{path} cannot be written ({error.strerror}); choose another place.") from error
