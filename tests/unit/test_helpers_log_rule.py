"""The rule about unexpected log records, tried on tests that break it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.helpers.log_rule import ExpectLog

pytest_plugins = ["pytester"]

TESTS = """
import logging

def test_information_passes():
    logging.info("fine")

def test_unexpected_warning():
    logging.getLogger("deep.down").warning("odd")

def test_expected_warning_passes(expect_log):
    with expect_log("odd"):
        logging.warning("odd")

def test_expected_warning_that_does_not_come(expect_log):
    with expect_log("odd"):
        logging.warning("even")

def test_unexpected_beside_expected(expect_log):
    with expect_log("odd"):
        logging.warning("odd")
        logging.error("worse")
"""


def test_what_breaks_the_rule_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest("from tests.helpers.log_rule import _log_rule, expect_log")
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=4, failed=1, errors=3)  # the rule is an error at the end of a test that passed
    result.stdout.fnmatch_lines(["*unexpected log records:*", "*WARNING deep.down: odd*", "*ERROR root: worse*"])


def test_expected_records_pass(expect_log: ExpectLog) -> None:
    with expect_log("one of two"):
        logging.getLogger("synth_app").warning("one of two")
