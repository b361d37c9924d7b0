"""The report as JSON and as Markdown: the bar first, then everything that was measured."""

import json
import math
from pathlib import Path
from typing import Any

from synth_app.core.errors import FileFormatError
from synth_app.training.evaluation.bar import ROWS, Column, Row
from synth_app.training.evaluation.figures import Numbers
from synth_app.training.evaluation.measure import ANCHORS, CODEC, DRAWS, HELD_OUT
from synth_app.training.evaluation.subject import HEADS, NET, NO_ONSET, WHOLE

JSON_NAME, MARKDOWN_NAME = "report.json", "report.md"
VARIANTS = (WHOLE, NO_ONSET, HEADS, NET, CODEC)
KINDS = (ANCHORS, HELD_OUT)
COLUMNS = {
    "strict_pitch": "strict pitch", "within_15_cents": "15 cents", "lsd_db": "LSD dB", "convergence": "SC",
    "level_error_db": "level dB", "level_bias_db": "bias dB", "consistency": "consist.", "top_1": "top-1",
    "top_3": "top-3", "frechet": "Frechet", "frechet_real": "real", "different_bins": "NDB/K",
    "different_bins_real": "real", "judged_pitch": "judged pitch", "pitch_entropy": "entropy",
    "level_modulation": "beating", "pitch_modulation": "vibrato", "liveliness": "alive", "attack_error_ms": "attack ms",
}  # fmt: skip

Report = dict[str, Any]


def build_report(
    subject: dict[str, Any], column: Column, found: dict[str, dict[str, Numbers]], baselines: dict[str, Numbers]
) -> Report:
    """Plain values, ready for JSON: who was measured, the bar with its verdicts, all figures, the baselines."""
    values = {variant: _bar_figures(found[variant]) for variant in VARIANTS if variant in found}
    bar = []
    for row in ROWS:
        measured = {variant: values[variant].get(row.figure) for variant in values}
        whole = measured[WHOLE]
        verdict = row.verdict(math.nan if whole is None else whole, column)
        bar.append({"row": row.name, "asked": row.asked(column), "verdict": verdict, **measured})
    report = {"subject": subject | {"column": column}, "bar": bar, "figures": found, "baselines": baselines}
    clean: Report = _without_nan(report)
    return clean


def write_report(report: Report, folder: Path) -> None:
    """``report.json`` and ``report.md`` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    pictures = "".join(f"\n![{path.stem}]({path.name})\n" for path in sorted(folder.glob("*.png")))
    shown = f"\n### Pictures\n{pictures}" if pictures else ""
    (folder / MARKDOWN_NAME).write_text(f"# How good {report['subject']['name']} is\n\n{as_markdown(report)}{shown}")


def read_report(folder: Path) -> Report:
    """What ``write_report`` wrote.

    Raises:
        FileFormatError: there is no such report in the folder.
    """
    try:
        report: Report = json.loads((folder / JSON_NAME).read_text())
        as_markdown(report)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{folder} holds no report ({error}): run synth-app evaluate first.") from error
    return report


def as_markdown(report: Report) -> str:
    """The report's tables; a model's card carries them."""
    parts = [_measured(report["subject"]), _bar_table(report), _net_line(report), "### All figures"]
    parts += [_figure_table(report["figures"]), *_lists(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def bar_lines(report: Report) -> list[str]:
    """The bar for a terminal, one line a row."""
    lines = []
    for row, line in zip(ROWS, report["bar"], strict=True):
        lines.append(f"{line['verdict']:>8}  {line['row']}: {_shown(row, line[WHOLE])} (asked: {line['asked']})")
    return lines


def _bar_figures(kinds: dict[str, Numbers]) -> Numbers:
    """A variant's figures under the names that the bar uses."""
    found = dict(kinds.get(ANCHORS, {}))
    if HELD_OUT in kinds:
        found["held_out_lsd_db"] = kinds[HELD_OUT]["lsd_db"]
    if DRAWS in kinds:
        found["draws_strict_pitch"] = kinds[DRAWS]["strict_pitch"]
    if "diversity" in kinds:
        found["diversity"] = kinds["diversity"]["ratio"]
    return found


def _measured(subject: dict[str, Any]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in subject.items() if name not in ("name", "column"))
    return (
        f'Measured against the bar for "{subject["column"]}" ({facts}). Retrieval is among '
        f"{subject['instruments']} trained instruments ({subject['anchors']} anchors)."
    )


def _bar_table(report: Report) -> str:
    shown = [variant for variant in VARIANTS if variant in report["bar"][0]]
    lines = ["| | asked | | " + " | ".join(shown) + " |", "|---" * (len(shown) + 3) + "|"]
    for row, line in zip(ROWS, report["bar"], strict=True):
        verdict = "falls short" if line["verdict"] == "short" else line["verdict"]
        cells = [line["row"], line["asked"], verdict, *(_shown(row, line[variant]) for variant in shown)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _net_line(report: Report) -> str:
    """What the net adds, in a sentence."""
    if NET not in report["bar"][0]:
        return "One of its parts is silent, so the whole is the only variant."
    column = report["subject"]["column"]
    better: list[str] = []
    worse: list[str] = []
    for row, line in zip(ROWS, report["bar"], strict=True):
        if line[WHOLE] is not None and line[HEADS] is not None:
            gain = row.gain(line[WHOLE], line[HEADS], column)
            (better if gain > 0 else worse if gain < 0 else []).append(row.name)
    return f"With its net it is better in {len(better)} rows and worse in {len(worse)}" + (
        f": {'; '.join(worse)}." if worse else "."
    )


def _figure_table(figures: dict[str, dict[str, Numbers]]) -> str:
    lines = ["| notes | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for variant, kind in ((variant, kind) for kind in KINDS for variant in VARIANTS):
        row = figures.get(variant, {}).get(kind)
        if row is not None:
            lines.append(f"| {variant}, {kind} | " + " | ".join(_number(row.get(key)) for key in COLUMNS) + " |")
    return "\n".join(lines)


def _lists(report: Report) -> list[str]:
    lines = [f"- {name}: {_listed(row)}" for name, row in report["baselines"].items()]
    for kind in (DRAWS, "walks", "diversity"):
        for variant, kinds in report["figures"].items():
            if kind in kinds:
                lines.append(f"- {variant}, {kind}: {_listed(kinds[kind])}")
    return ["\n".join(lines)]


def _listed(row: dict[str, float | None]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in row.items())


def _shown(row: Row, value: float | None) -> str:
    return "" if value is None else row.shown(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 10.0 else f"{value:.1f}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
