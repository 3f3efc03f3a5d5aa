"""`pytest --cpu-times`: the CPU seconds of each test, its fixtures and the child processes it waited for.

Wall time says little on a busy machine. A session fixture counts for the test that sets it up first.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Generator

import pytest

SHOWN = 40
WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-times", action="store_true", help="show the CPU seconds of tests and files")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("cpu_times"):
        config.pluginmanager.register(CpuTimes())


def used() -> float:
    """CPU seconds of this process and of its ended children."""
    usages = [resource.getrusage(who) for who in WHO]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class CpuTimes:
    """Measures in the process that runs a test; adds up where the reports arrive."""

    def __init__(self) -> None:
        self.before = 0.0
        self.tests: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self.before = used()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        now = used()
        report.user_properties.append(("cpu", now - self.before))
        self.before = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.tests[report.nodeid] += sum(
            value for name, value in report.user_properties if name == "cpu" and isinstance(value, float)
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        files: defaultdict[str, float] = defaultdict(float)
        for name, seconds in self.tests.items():
            files[name.partition("::")[0]] += seconds
        for title, times in (("tests", self.tests), ("files", files)):
            terminalreporter.section(f"CPU seconds of {title}, {sum(times.values()):.1f} in all")
            for name, seconds in sorted(times.items(), key=lambda item: -item[1])[:SHOWN]:
                terminalreporter.write_line(f"{seconds:8.2f}  {name}")
