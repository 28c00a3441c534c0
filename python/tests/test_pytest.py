"""The plugin in a real pytest, beside the report that pytest itself writes of the same run."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("MILEPOST_PROGRAM") or shutil.which("milepost") or "milepost"

TESTS = """
import os, pytest

class TestShopIntegration:
    def test_leaves_for_elsewhere(self, tmp_path):
        os.chdir(tmp_path)
        os.environ["MILEPOST_DATA"] = str(tmp_path)

def test_passes(): pass
@pytest.mark.parametrize("secret", ["secret-1", "secret-2"])
def test_parameters(secret): pass
def test_fails(): raise ConnectionError("secret: could not resolve host")
@pytest.mark.skip
def test_is_skipped(): pass
@pytest.mark.xfail
def test_fails_as_expected(): assert False
@pytest.mark.xfail
def test_passes_unexpectedly(): pass
@pytest.mark.xfail(strict=True)
def test_passes_against_all_expectations(): pass
@pytest.fixture
def cannot_begin(): raise ValueError("no")
def test_cannot_begin(cannot_begin): pass
@pytest.fixture
def cannot_end():
    yield
    raise ValueError("no")
def test_cannot_end(cannot_end): pass
"""


@unittest.skipUnless(importlib.util.find_spec("pytest"), "there is no pytest")
class Plugin(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "test_shop.py").write_text(TESTS)
        # What pip makes of the package's entry point.
        site = self.folder / "site"
        (site / "milepost-0.1.0.dist-info").mkdir(parents=True)
        (site / "milepost-0.1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: milepost\nVersion: 0.1.0\n")
        (site / "milepost-0.1.0.dist-info" / "entry_points.txt").write_text("[pytest11]\nmilepost = milepost.pytest_milepost\n")
        keep = {name: value for name, value in os.environ.items() if name not in ("DO_NOT_TRACK", "MILEPOST_DISABLED", "PYTEST_ADDOPTS")}
        path = os.pathsep.join([str(site), str(ROOT / "python" / "src")])
        self.env = {**keep, "PYTHONPATH": path, "MILEPOST_DATA": str(self.folder / "data"), "PYTHONDONTWRITEBYTECODE": "1"}

    def pytest(self, *args: str, **env: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
        return subprocess.run(command, cwd=self.folder, env={**self.env, **env}, capture_output=True, text=True)

    def program(self, *args: str, data: str = "data") -> str:
        env = {**self.env, "MILEPOST_DATA": str(self.folder / data)}
        done = subprocess.run([PROGRAM, *args], cwd=self.folder, env=env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def events(self, data: str = "data") -> List[Dict[str, Any]]:
        return [json.loads(line) for line in self.program("export", data=data).splitlines()]

    def readings(self, data: str = "data") -> Dict[str, float]:
        return {event["name"]: event["value"] for event in self.events(data) if event["kind"] == "measurement"}

    def outcomes(self) -> List[Any]:
        return sorted((event["operation"], event["outcome"]) for event in self.events() if event["kind"] == "operation")

    def test_the_entry_point_is_the_packages(self) -> None:
        self.assertIn('[project.entry-points.pytest11]\nmilepost = "milepost.pytest_milepost"\n', (ROOT / "python" / "pyproject.toml").read_text())

    def test_nothing_is_recorded_unless_asked_for(self) -> None:
        self.assertEqual(self.pytest("-q").returncode, 1)
        self.assertEqual(self.pytest("-q", "--milepost", "--collect-only").returncode, 0)
        self.assertEqual(self.pytest("-q", "--milepost", DO_NOT_TRACK="1").returncode, 1)
        self.assertFalse((self.folder / "data").exists())

    def test_the_figures_are_those_of_the_report(self) -> None:
        (self.folder / "test_cannot_be_read.py").write_text("import does_not_exist")
        (self.folder / "test_not_here.py").write_text("import pytest\npytest.skip('no', allow_module_level=True)")
        done = self.pytest("--milepost", "--continue-on-collection-errors", "--junit-xml=junit.xml")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertNotIn("milepost:", done.stdout)
        self.program("collect", "tests", "junit.xml", data="other")
        ours, theirs = self.readings(), self.readings("other")
        self.assertGreater(ours.pop("tests.duration"), 0)
        self.assertGreater(theirs.pop("tests.duration"), 0)
        self.assertEqual(ours, theirs)
        self.assertEqual((ours["tests.failed"], ours["tests.skipped"], ours["tests.integration"]), (5, 3, 1))
        measured = [event for event in self.events() if event["kind"] == "measurement"]
        self.assertEqual(len({(event["at"], event["source"], event["attributes"]["report"], event["origin"]) for event in measured}), 1)

    def test_each_test_is_an_operation_without_its_parameters(self) -> None:
        self.pytest("--milepost")
        expected = [
            ("cannot_begin", "failed"),
            ("cannot_end", "failed"),
            ("fails", "failed"),
            ("parameters", "ok"),
            ("parameters", "ok"),
            ("passes", "ok"),
            ("passes_against_all_expectations", "failed"),
            ("passes_unexpectedly", "ok"),
        ]
        names = [(f"test_shop.py::test_{name}", outcome) for name, outcome in expected]
        self.assertEqual(self.outcomes(), [("test_shop.py::TestShopIntegration::test_leaves_for_elsewhere", "ok"), *names])
        operations = [event for event in self.events() if event["kind"] == "operation"]
        self.assertEqual({event["origin"] for event in operations}, {"test"})
        self.assertTrue(all(event["duration_us"] >= 0 for event in operations))
        fails = next(event for event in operations if event["operation"].endswith("test_fails"))
        self.assertEqual(fails["error"], {"category": "network"})
        self.assertNotIn("secret", self.program("export"))

    @unittest.skipUnless(importlib.util.find_spec("xdist"), "there is no pytest-xdist")
    def test_workers_of_xdist_record_each_test_once(self) -> None:
        self.pytest("--milepost")
        alone, figures = self.outcomes(), self.readings()
        shutil.rmtree(self.folder / "data")
        done = self.pytest("--milepost", "-n", "3")
        self.assertIn("3 workers", done.stdout)
        self.assertEqual(self.outcomes(), alone)
        again = self.readings()
        self.assertEqual({**figures, "tests.duration": 0}, {**again, "tests.duration": 0})

    def test_a_run_that_was_broken_off_does_not_say_that_all_passed(self) -> None:
        (self.folder / "test_shop.py").write_text("def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\ndef test_c(): pass\n")
        self.assertEqual(self.pytest("--milepost").returncode, 2)
        self.assertEqual((self.readings(), self.outcomes()), ({}, [("test_shop.py::test_a", "ok")]))

    def test_a_data_folder_that_cannot_be_written_changes_nothing_else(self) -> None:
        (self.folder / "data").write_text("a file")
        done, plain = self.pytest("--milepost"), self.pytest()
        self.assertEqual(done.returncode, plain.returncode)
        self.assertIn("milepost: not recorded: ", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1].split(" in ")[0], plain.stdout.splitlines()[-1].split(" in ")[0])


if __name__ == "__main__":
    unittest.main()
