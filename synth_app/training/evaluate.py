"""``evaluate``: how good a voice is, measured, compared with the bar, and written down with pictures.

The rooms of ``synth_app.training.evaluation`` do the work; here they are called in order.
"""

from dataclasses import dataclass, field
from pathlib import Path

from synth_app.spectral.config import SpectralConfig
from synth_app.training.codec import TorchCodec
from synth_app.training.data import Dataset
from synth_app.training.evaluation.bar import Column, column_of
from synth_app.training.evaluation.judging_net import load_judge
from synth_app.training.evaluation.measure import Amounts, Measurement, Progress
from synth_app.training.evaluation.report import Report, build_report, write_report
from synth_app.training.evaluation.subject import Subject, open_subject
from synth_app.training.features import make_pictures


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How to measure.

    Attributes:
        amounts: how many notes, draws and walks, and the seed that chooses them.
        column: of the bar; ``None`` takes the one that fits the generator's width.
        judge: a judging net's file; ``None`` takes the one that the package carries.
        pictures: whether to draw.
    """

    amounts: Amounts = field(default_factory=Amounts)
    column: Column | None = None
    judge: Path | None = None
    pictures: bool = True


def evaluate_model(
    source: Path,
    dataset: Path,
    out: Path,
    options: EvaluateOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure a run's newest checkpoint or an exported model against its data set.

    Writes ``report.md``, ``report.json`` and pictures into a folder; ``progress`` is called with the share done.

    Raises:
        CheckpointError, ModelError, FileFormatError, SettingsError: what is on disk cannot be used.
    """
    options = options or EvaluateOptions()
    subject, notes = open_subject(source, Dataset.open(dataset))
    make_pictures(notes, TorchCodec(SpectralConfig(), "centred").encode)
    report = evaluate_subject(subject, notes, out, options, progress)
    write_report(report, out)
    return report


def evaluate_subject(
    subject: Subject,
    dataset: Dataset,
    out: Path,
    options: EvaluateOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure a generator; the pictures go into ``out``, the report comes back."""
    options = options or EvaluateOptions()
    tell: Progress = progress or (lambda _: None)
    measurement = Measurement(subject, dataset, load_judge(options.judge), options.amounts)
    listened = measurement.listen(lambda share: tell(0.7 * share))
    figures = measurement.figures(listened, lambda share: tell(0.7 + 0.2 * share))
    channels = subject.generator.config.channels
    facts = {"name": subject.name} | subject.facts | measurement.facts(listened) | {"channels": list(channels)}
    report = build_report(facts, options.column or column_of(channels), figures, measurement.baselines())
    if options.pictures:
        from synth_app.training.evaluation.pictures import draw_all

        draw_all(measurement, listened, out)
    tell(1.0)
    return report
