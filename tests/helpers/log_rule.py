"""The rule that an unexpected log record of WARNING or above fails the test in which it was made.

A program that logs a warning which nobody expected has met a case which nobody thought of; the test that drove it there
should not pass. A test that means to provoke one says so::

    with expect_log(r"falling back to the CPU"):
        ...
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

ExpectLog = Callable[..., AbstractContextManager[None]]


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _log_rule(request: pytest.FixtureRequest) -> Iterator[_Collector]:
    """Collect what is logged during the test, and fail it for whatever was not expected."""
    collector = _Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield collector
    finally:
        root.removeHandler(collector)
    if collector.records:
        said = "\n".join(f"  {r.levelname} {r.name}: {r.getMessage()}" for r in collector.records)
        pytest.fail(f"unexpected log records:\n{said}", pytrace=False)


@pytest.fixture
def expect_log(_log_rule: _Collector) -> ExpectLog:
    """``with expect_log(pattern):`` the block must log at least one WARNING or above that matches, and may."""

    @contextlib.contextmanager
    def expect(pattern: str) -> Iterator[None]:
        before = len(_log_rule.records)
        yield
        during = _log_rule.records[before:]
        expected = [record for record in during if re.search(pattern, record.getMessage())]
        assert expected, f"nothing logged that matches {pattern!r}"
        _log_rule.records[before:] = [record for record in during if record not in expected]

    return expect
