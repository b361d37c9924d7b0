"""The whole evaluation on a tiny data set: a voice that is near its notes, and what is written about it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from synth_app.app.cli import build
from synth_app.core.errors import CheckpointError, FileFormatError, SettingsError
from synth_app.training.codec import TorchCodec
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.evaluate import EvaluateOptions, evaluate_model, evaluate_subject
from synth_app.training.evaluation.bar import ROWS
from synth_app.training.evaluation.judging_net import JudgingNet, load_judge
from synth_app.training.evaluation.measure import ANCHORS, CODEC, DRAWS, HELD_OUT, Amounts
from synth_app.training.evaluation.report import as_markdown, read_report, write_report
from synth_app.training.evaluation.subject import HEADS, NET, WHOLE, Subject, open_subject, subject_of
from synth_app.training.evaluation.train_judge import Lessons, examine, learn, read_lessons, train_judge
from synth_app.training.export import ExportOptions, export_model, export_voice
from synth_app.training.features import make_pictures
from synth_app.training.feed import NoteFeed, anchors_of
from synth_app.training.loop import save
from synth_app.training.run import Run

from .test_training import TINY

AMOUNTS = Amounts(notes=8, draws=4, walks=1)
PICTURES = {"levels.png", "rainbowgrams.png", "waves-modulo-period.png", "modulation.png"}


@pytest.fixture(scope="module")
def run(dataset: Dataset) -> Run:
    """A voice whose map and codes come from the data, whose heads and net babble a little."""
    make_pictures(dataset, TorchCodec(TINY.spectral, "centred").encode)
    run = Run(TrainConfig(model=TINY, stages=(Stage("heads", 8),)), dataset, NoteFeed(dataset, waves=True))
    torch.manual_seed(7)
    with torch.no_grad():
        for value in run.voice.generator.parameters():
            value += 0.02 * torch.randn_like(value)
    return run


@pytest.fixture(scope="module")
def subject(run: Run, dataset: Dataset) -> Subject:
    return subject_of(run.voice, anchors_of(dataset), "tiny")


def test_the_whole_is_what_the_generator_paints_and_the_parts_are_its_parts(subject: Subject) -> None:
    latent, pitch = subject.latents[[0, 1]], torch.tensor([30, 40])
    pictures = subject.paint(latent, pitch)
    assert tuple(pictures) == subject.variants == (WHOLE, HEADS, NET)
    with torch.no_grad():
        assert torch.allclose(pictures[WHOLE], subject.generator(latent, pitch), atol=1e-6)
        assert torch.allclose(pictures[HEADS], subject.generator.heads_only(latent, pitch), atol=1e-6)
    bias = subject.generator.pitch_bias[pitch][:, :, None]
    sums = torch.atanh(pictures[HEADS]) + torch.atanh(pictures[NET]) - bias
    assert torch.allclose(torch.tanh(sums), pictures[WHOLE], atol=1e-3)


def test_the_report_has_every_row_with_its_verdict_and_knows_good_from_bad(
    subject: Subject, dataset: Dataset, tmp_path: Path
) -> None:
    shares: list[float] = []
    report = evaluate_subject(subject, dataset, tmp_path, EvaluateOptions(AMOUNTS), shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert [line["row"] for line in report["bar"]] == [row.name for row in ROWS]
    assert {line["verdict"] for line in report["bar"]} <= {"pass", "short", "reported"}
    figures, baselines = report["figures"], report["baselines"]
    ceiling, wrong = figures[CODEC][HELD_OUT], baselines["real, a semitone off"]
    assert ceiling["strict_pitch"] == 1.0 and wrong["strict_pitch"] == 0.0
    assert ceiling["lsd_db"] < 0.5 * wrong["lsd_db"] and ceiling["convergence"] < 0.15 < wrong["convergence"]
    assert ceiling["top_1"] == 1.0 and ceiling["liveliness"] == pytest.approx(1.0, abs=0.3)
    assert figures[CODEC][ANCHORS]["frechet_ratio"] == pytest.approx(1.0, abs=0.3)
    for variant in (WHOLE, HEADS, NET):
        assert figures[variant][ANCHORS]["lsd_db"] > ceiling["lsd_db"]
        assert figures[variant][DRAWS]["peak_over_1"] in np.arange(5) / 4
        assert figures[variant]["walks"]["largest_step"] >= 1.0
    assert report["subject"]["trained notes"] == 8 and report["subject"]["anchors"] == 2
    assert {path.name for path in tmp_path.glob("*.png")} == PICTURES
    write_report(report, tmp_path)
    assert read_report(tmp_path) == json.loads((tmp_path / "report.json").read_text()) == report
    page = (tmp_path / "report.md").read_text()
    assert as_markdown(report) in page and all(f"({name})" in page for name in PICTURES)
    assert all(f"| {row.name} |" in page for row in ROWS) and "among 2 trained instruments" in page
    assert "With its net it is better in" in page


def test_a_silent_net_leaves_one_variant(subject: Subject, dataset: Dataset, tmp_path: Path) -> None:
    quiet = replace(subject)
    kept = [value.clone() for value in subject.generator.rgb.parameters()]
    try:
        with torch.no_grad():
            for value in quiet.generator.rgb.parameters():
                value.zero_()
        report = evaluate_subject(quiet, dataset, tmp_path, EvaluateOptions(Amounts(4, 2, 1), pictures=False))
    finally:
        with torch.no_grad():
            for value, old in zip(subject.generator.rgb.parameters(), kept, strict=True):
                value.copy_(old)
    assert set(report["figures"]) == {WHOLE, CODEC} and not list(tmp_path.iterdir())
    assert "silent" in as_markdown(report)


def test_an_exported_model_is_measured_as_its_run_is(
    run: Run, subject: Subject, dataset: Dataset, tmp_path: Path
) -> None:
    export_voice(run.voice, run.feed, ExportOptions(tmp_path / "tiny", name="tiny"))
    opened, part = open_subject(tmp_path / "tiny", dataset)
    assert part.instruments == dataset.instruments and opened.generator.config == TINY
    assert torch.allclose(opened.latents, subject.latents, atol=1e-3)
    pitch = torch.tensor([36, 36])
    made, wanted = opened.paint(opened.latents, pitch), subject.paint(subject.latents, pitch)
    assert all(float((made[name] - wanted[name]).abs().mean()) < 0.01 for name in wanted)
    with pytest.raises(SettingsError, match="was not trained on"):
        open_subject(tmp_path / "tiny", replace(dataset, instruments=()))


def test_the_command_measures_a_run_and_the_card_carries_the_table(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    save(run, tmp_path / "run")
    words = ["evaluate", "--run", tmp_path / "run", "--dataset", dataset.root, "--out", tmp_path / "report"]
    result = CliRunner().invoke(build(), [str(word) for word in [*words, "--notes", 8, "--draws", 4, "--bar", "full"]])
    assert result.exit_code == 0, result.output
    assert all(row.name in result.output for row in ROWS) and "short" in result.output
    assert read_report(tmp_path / "report")["subject"]["column"] == "full"
    export_model(tmp_path / "run", dataset.root, tmp_path / "model", tmp_path / "report")
    card = (tmp_path / "model" / "README.md").read_text()
    assert as_markdown(read_report(tmp_path / "report")).strip() in card and "falls short" in card
    with pytest.raises(FileFormatError, match="holds no report"):
        export_model(tmp_path / "run", dataset.root, tmp_path / "model", tmp_path / "run")


def test_an_empty_folder_is_not_measured(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="train first"):
        evaluate_model(tmp_path, dataset.root, tmp_path / "report")


def test_a_judge_learns_its_notes_and_the_kept_one_fits(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    every = read_lessons(dataset, held_out=False)
    assert every.level.shape[1:] == (64, 1024) and set(every.instrument.tolist()) == {0, 1}
    lessons = Lessons(every.level[::3], every.pitch[::3], every.instrument[::3])
    untaught = examine(JudgingNet(2).eval(), lessons)
    taught = examine(learn(lessons, 2, epochs=60), lessons)
    assert taught["instrument"] > 0.9 and taught["pitch"] > untaught["pitch"]
    result = train_judge(dataset.root, tmp_path / "judge.npz", epochs=1)
    assert 0.0 <= result["pitch"] <= 1.0
    kept, again = load_judge(), load_judge(tmp_path / "judge.npz")
    assert kept.features(lessons.level[:2].float()).shape == again.features(lessons.level[:2].float()).shape == (2, 64)
    assert (kept(lessons.level.float())[1].argmax(dim=1) == lessons.pitch).float().mean() > 0.5
