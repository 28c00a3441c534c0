"""The specification's classes: called by its names and signatures, each key compared with values worked out by hand, and with
Milepost's own report."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python" / "src"))

import milepost  # noqa: E402
from milepost import compat  # noqa: E402
from milepost.compat import _commands, _report  # noqa: E402

PROGRAM = os.environ.get("MILEPOST_PROGRAM") or shutil.which("milepost") or "milepost"


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "data"
        patch = mock.patch.dict(os.environ, {"MILEPOST_PROGRAM": PROGRAM, "HOME": folder.name})
        patch.start()
        self.addCleanup(patch.stop)
        for name in ("DO_NOT_TRACK", "MILEPOST_DISABLED", "MILEPOST_CONFIG", "MILEPOST_DATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            os.environ.pop(name, None)
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        self.recorder = milepost.Recorder(self.data)
        patched = mock.patch.object(milepost, "recorder", self.recorder)
        patched.start()
        self.addCleanup(patched.stop)
        self.addCleanup(self.recorder.close)
        self.addCleanup(compat.flush)

    def events(self, kind: Optional[str] = None) -> List[Dict[str, Any]]:
        compat.flush()
        self.assertEqual((self.recorder.lost, self.recorder.last_problem), (0, None))
        found = []
        for path in sorted((self.data / "spool").glob("*.jsonl")):
            found += [json.loads(line) for line in path.read_text().splitlines() if line]
        return [event for event in found if kind in (None, event["kind"])]

    def operations(self, operation: str, outcome: str, times_ms: List[float], backend: Optional[str] = None) -> None:
        for time_ms in times_ms:
            event = {"kind": "operation", "operation": operation, "outcome": outcome, "backend": backend}
            self.recorder.record({**event, "duration_us": round(time_ms * 1000)})


class Performance(Case):
    def test_a_report_by_hand(self) -> None:
        tracker = compat.PerformanceTracker()
        # 20 times from 10 ms to 200 ms: the 19th is what 95 % do not exceed, the 10th what half do not.
        self.operations("search", "ok", [10.0 * n for n in range(1, 21)], "native")
        self.operations("search", "failed", [5.0] * 5, "subprocess")
        self.operations("list", "ok", [150.0], "subprocess")
        self.operations("remove", "failed", [7.0])
        search = {"count": 25, "p95": 190.0, "p50": 100.0, "success_rate": 80.0}
        self.assertEqual(
            tracker.generate_report(),
            {
                # Of 21 successes the 20th.
                "summary": {"total_operations": 27, "success_rate": 21 / 27 * 100, "p95_overall": 190.0},
                "by_operation": {
                    "search": search,
                    "list": {"count": 1, "p95": 150.0, "p50": 150.0, "success_rate": 100.0},
                    "remove": {"count": 1, "p95": None, "p50": None, "success_rate": 0.0},
                },
                "by_backend": {
                    "native": {"count": 20, "p95": 190.0, "p50": 100.0, "success_rate": 100.0},
                    "subprocess": {"count": 6, "p95": 150.0, "p50": 150.0, "success_rate": 1 / 6 * 100},
                    None: {"count": 1, "p95": None, "p50": None, "success_rate": 0.0},
                },
                "threshold_violations": [{"operation": "list", "p95": 150.0, "threshold": 100, "violation_percentage": 50.0}],
            },
        )
        self.assertEqual((tracker.get_p95(), tracker.get_p95("list"), tracker.get_p95("remove")), (190.0, 150.0, None))
        self.assertIsNone(tracker.get_p95("never"))
        tracker.thresholds["search"] = 152
        self.assertEqual([row["operation"] for row in tracker.generate_report()["threshold_violations"]], ["list", "search"])

    def test_nothing_is_none_and_not_zero(self) -> None:
        report = compat.PerformanceTracker().generate_report()
        self.assertEqual(report["summary"], {"total_operations": 0, "success_rate": None, "p95_overall": None})
        self.assertEqual((report["by_operation"], report["by_backend"], report["threshold_violations"]), ({}, {}, []))
        self.assertIsNone(compat.PerformanceTracker().get_p95())

    def test_blocks_are_timed(self) -> None:
        tracker = compat.PerformanceTracker()
        with tracker.track_operation("search", "native") as timer:
            time.sleep(0.02)
        with self.assertRaises(PermissionError), tracker.track_operation("install", backend_type="subprocess"):
            raise PermissionError
        self.assertEqual((timer.operation, timer.backend), ("search", "native"))
        search, install = self.events()
        self.assertEqual((search["operation"], search["backend"], search["outcome"]), ("search", "native", "ok"))
        self.assertGreaterEqual(search["duration_us"], 20_000)
        self.assertEqual((install["outcome"], install["error"]), ("failed", {"category": "permission"}))
        metric = tracker.metrics[1]
        self.assertEqual((metric.operation, metric.success, metric.backend_type), ("install", False, "subprocess"))
        self.assertAlmostEqual(tracker.metrics[0].duration, search["duration_us"] / 1000, places=2)


class Reliability(Case):
    def test_a_report_by_hand(self) -> None:
        tracker = compat.ReliabilityTracker()
        self.assertEqual(
            tracker.get_reliability_report(),
            {"overall_success_rate": None, "by_command": {}, "error_breakdown": {}, "commands_below_target": []},
        )
        for _ in range(9):
            tracker.track_command("search", True)
        tracker.track_command("search", False, "error: unable to download 'https://x': Couldn't resolve host name (6)")
        tracker.track_command("install", success=False, error="sudo: frobnicate: command not found")
        tracker.track_command("install", True, None)
        tracker.track_command("list", True)
        tracker.track_command("remove", False, "something odd")
        tracker.track_command("remove", False)
        rates = {"search": 90.0, "install": 50.0, "list": 100.0, "remove": 0.0}
        self.assertEqual(tracker.get_success_rates(), rates)
        # All commands together, 11 of 15: the mean of the four rates would be 60.
        self.assertEqual(
            {key: sorted(value) if isinstance(value, list) else value for key, value in tracker.get_reliability_report().items()},
            {
                "overall_success_rate": 11 / 15 * 100,
                "by_command": rates,
                # Of one failure nobody told the error.
                "error_breakdown": {"network": 1, "not_found": 1, "unknown": 1},
                "commands_below_target": ["install", "remove", "search"],
            },
        )
        self.assertEqual(tracker._categorize_error("curl: (7) Connection refused"), "network")

    def test_texts_are_not_stored(self) -> None:
        compat.ReliabilityTracker().track_command("install", False, "permission denied: /home/rose")
        self.assertEqual(self.events()[0]["error"], {"category": "permission"})


class Usability(Case):
    def test_a_report_by_hand(self) -> None:
        tracker = compat.UsabilityTracker()
        self.assertEqual(tracker.get_usability_metrics(), {"no_data": True})
        now = time.time_ns() // 1000 - 7_200_000_000

        def at(seconds: float) -> str:
            return _rfc(now + int(seconds * 1e6))

        def told(user: str, start: float, *commands: Any) -> None:
            """A session as the tracker records one, two hours ago."""
            pseudonym = self.recorder._pseudonym(user)
            self.recorder.record({"kind": "session", "session": f"s-{user}", "user": pseudonym, "at": at(start)})
            for seconds, outcome in commands:
                event = {"kind": "operation", "operation": "command", "outcome": outcome, "session": f"s-{user}", "user": pseudonym}
                self.recorder.record({**event, "at": at(start + seconds)})

        told("rose", 0, (10, "ok"), (11, "failed"), (12, "ok"))
        told("maya", 0, (20, "failed"), (40, "ok"))
        told("luna", 0, (5, "failed"), (25, "failed"), (28, "ok"))
        told("viktor", 0, (5, "failed"))
        told("alex", 0)
        self.assertEqual(
            tracker.get_usability_metrics(),
            {
                # Of 10, 28 and 40 s, since who gave up has no time.
                "average_time_to_first_success": 26.0,
                # Of five who began, half had succeeded after 40 s: the median of the three who did would be 28.
                "median_time_to_first_success": 40.0,
                "users_successful_under_30s": 40.0,
                # 1, 2 and 3 commands up to the first success.
                "average_attempts_before_success": 2.0,
            },
        )

    def test_sessions_and_commands(self) -> None:
        tracker = compat.UsabilityTracker()
        tracker.start_session("rose")
        tracker.track_command("rose", False)
        tracker.track_command("rose", success=True)
        tracker.track_command("maya", True)
        sessions, operations = self.events("session"), self.events("operation")
        names = {event["user"]: event["session"] for event in sessions}
        self.assertEqual(set(names), {self.recorder._pseudonym("rose"), self.recorder._pseudonym("maya")})
        self.assertEqual([event["outcome"] for event in operations], ["failed", "ok", "ok"])
        for event in operations:
            self.assertEqual(event["session"], names[event["user"]])
        rose = tracker.sessions["rose"]
        self.assertEqual((rose.user_id, rose.commands_attempted, rose.commands_succeeded), ("rose", 2, 1))
        self.assertIsNotNone(rose.first_success_time)
        metrics = tracker.get_usability_metrics()
        self.assertEqual((metrics["users_successful_under_30s"], metrics["average_attempts_before_success"]), (100.0, 1.5))

    def test_everybody_who_gave_up_is_data(self) -> None:
        tracker = compat.UsabilityTracker()
        tracker.track_command("rose", False)
        metrics = tracker.get_usability_metrics()
        self.assertNotIn("no_data", metrics)
        self.assertEqual((metrics["average_time_to_first_success"], metrics["median_time_to_first_success"]), (None, None))


class Learning(Case):
    def test_a_report_by_hand(self) -> None:
        tracker = compat.LearningEffectivenessTracker()
        self.assertEqual(tracker.baseline_accuracy, 0.85)
        for number in range(199):
            right = number % 10 < 9 if number % 2 else number % 5 < 4
            tracker.track_interaction("install it", "install" if right else "remove", "install", with_learning=number % 2 == 1)
            if number == 150:
                self.assertEqual(tracker.get_learning_report(), {"no_checkpoints": True})
        # 100 without (numbers 0, 2 … 198) close a checkpoint; of even numbers every fifth is wrong (n % 5 == 4), 20 of 100. Of the
        # 99 odd numbers with learning, those ending in 9 are wrong: 19 of 99 (9, 19 … 189).
        with_learning, without = 80 / 99 * 100, 80.0
        expected = {
            "current_accuracy_with_learning": with_learning,
            "current_accuracy_without_learning": without,
            "improvement_percentage": with_learning - without,
            "target_reached": False,
            "accuracy_trend": [with_learning],
        }
        self.assertEqual(tracker.get_learning_report(), expected)
        tracker.track_interaction("x", "install", "install", True)
        report = tracker.get_learning_report()
        self.assertEqual(report["accuracy_trend"], [with_learning, 81.0])
        self.assertEqual(report["improvement_percentage"], 1.0)
        self.assertNotIn("text", self.events()[0])

    def test_an_empty_arm_is_none_and_not_zero(self) -> None:
        tracker = compat.LearningEffectivenessTracker()
        for _ in range(100):
            tracker.track_interaction("x", "install", "install", True)
        self.assertEqual(
            tracker.get_learning_report(),
            {
                "current_accuracy_with_learning": 100.0,
                "current_accuracy_without_learning": None,
                "improvement_percentage": None,
                "target_reached": True,
                "accuracy_trend": [100.0],
            },
        )


class Memory(Case):
    def test_a_report_by_hand(self) -> None:
        tracker = compat.MemoryTracker()
        self.assertEqual(tracker.process_name, "nix-for-humanity")
        self.assertIsNone(tracker.get_memory_stats())
        for megabytes in (100, 140, 120):
            self.recorder.memory("r", megabytes * 1_000_000, process="nix-for-humanity", measure="pss")
        self.assertEqual(
            tracker.get_memory_stats(), {"current": 120.0, "average": 120.0, "peak": 140.0, "stable": True, "trend": "increasing"}
        )
        for megabytes in (200, 150):
            self.recorder.memory("newer", megabytes * 1_000_000, process="nix-for-humanity")
        self.assertEqual(
            tracker.get_memory_stats(), {"current": 150.0, "average": 175.0, "peak": 200.0, "stable": False, "trend": "stable"}
        )

    @unittest.skipUnless(sys.platform == "linux", "processes are found by name in /proc")
    def test_the_named_process_is_watched_until_the_flag_falls(self) -> None:
        name = f"mp-{os.getpid()}"
        script = self.folder / name
        script.write_text("import time\nballast = bytearray(30_000_000)\ntime.sleep(60)\n")
        watched = subprocess.Popen([sys.executable, str(script)])
        self.addCleanup(watched.wait)
        self.addCleanup(watched.kill)
        for by_flag in (True, False):
            tracker = compat.MemoryTracker(process_name=name)
            before = len(self.events("memory"))
            tracker.start_monitoring(interval=0.05)
            deadline = time.monotonic() + 20
            while len(self.events("memory")) < before + 3 and time.monotonic() < deadline:
                time.sleep(0.05)
            if by_flag:
                tracker.monitoring = False
                assert tracker.monitor_thread is not None
                tracker.monitor_thread.join(10)
            else:
                tracker.stop_monitoring()
            assert tracker.monitor_thread is not None
            self.assertFalse(tracker.monitor_thread.is_alive())
            readings = self.events("memory")
            self.assertGreaterEqual(len(readings), before + 3)
            self.assertEqual({event["pid"] for event in readings}, {watched.pid})
            time.sleep(0.2)
            self.assertEqual(len(self.events("memory")), len(readings), "it goes on")
        stats = tracker.get_memory_stats()
        assert stats is not None
        self.assertGreater(stats["peak"], 30)


class CodeQuality(Case):
    KEYS = ("total_coverage", "integration_test_count", "files_below_80", "uncovered_lines")

    def tools(self, **scripts: str) -> None:
        """Tools that print what real ones do, first on the PATH and beside no Python."""
        folder = self.folder / "bin"
        folder.mkdir()
        for name, script in scripts.items():
            path = folder / name
            path.write_text("#!/bin/sh\n" + textwrap.dedent(script))
            path.chmod(0o755)
        for patch in (
            mock.patch.dict(os.environ, {"PATH": f"{folder}:{os.environ['PATH']}"}),
            mock.patch.object(sys, "executable", str(folder / "python")),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def test_no_tool_no_figure(self) -> None:
        tracker = compat.CodeQualityTracker(project_root=self.folder)
        self.tools(coverage="exit 1", radon="echo '{}'")
        self.assertEqual(tracker.measure_test_coverage(), dict.fromkeys(self.KEYS))
        expected = dict.fromkeys(("average_complexity", "max_complexity", "functions_above_10", "complex_functions"))
        self.assertEqual(tracker.measure_code_complexity(), expected)
        self.assertEqual(compat.CodeQualityTracker(self.folder / "missing").measure_test_coverage(), dict.fromkeys(self.KEYS))

    def test_figures_of_an_earlier_run_are_not_those_of_this_one(self) -> None:
        self.recorder.measurement("coverage.statements", 88.0, unit="%")
        self.tools(coverage="exit 1")
        self.assertEqual(compat.CodeQualityTracker(self.folder).measure_test_coverage(), dict.fromkeys(self.KEYS))

    def test_complexity_by_hand(self) -> None:
        (self.folder / "backend").mkdir()
        rows = [("f", 12), ("g", 11), ("h", 3), ("i", 2)]
        functions = [
            {"type": "function", "name": name, "complexity": n, "rank": "A", "lineno": 1, "endline": 9, "col_offset": 0, "closures": []}
            for name, n in rows
        ]
        (self.folder / "radon.json").write_text(json.dumps({"backend/x.py": functions}))
        self.tools(radon=f"""[ "$3" = --json ] && [ "$2" = "{self.folder}/backend" ] && cat {self.folder}/radon.json""")
        self.assertEqual(
            compat.CodeQualityTracker(self.folder).measure_code_complexity(),
            {
                "average_complexity": 7.0,
                "max_complexity": 12,
                "functions_above_10": 2,
                "complex_functions": [
                    {"name": "f", "complexity": 12, "file": "backend/x.py"},
                    {"name": "g", "complexity": 11, "file": "backend/x.py"},
                ],
            },
        )

    @unittest.skipUnless(shutil.which("coverage") and shutil.which("radon"), "coverage and radon are not installed")
    def test_real_tools_on_a_real_project(self) -> None:
        if subprocess.run([str(shutil.which("python3")), "-m", "pytest", "--version"], capture_output=True).returncode != 0:
            self.skipTest("pytest is not installed")
        for path, text in {
            "backend/done.py": "def double(n):\n    return 2 * n\n",
            "backend/half.py": "def used():\n    return 1\n\n\ndef unused(n):\n    if n:\n        return 1\n    return 2\n",
            "tests/integration/test_both.py": "from backend import done, half\n\n\ndef test():\n    assert done.double(half.used()) == 2\n",
        }.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        (self.folder / "conftest.py").write_text("")
        tracker = compat.CodeQualityTracker(self.folder)
        coverage = tracker.measure_test_coverage()
        self.assertEqual(coverage["files_below_80"], ["backend/half.py"])
        self.assertEqual((coverage["integration_test_count"], coverage["uncovered_lines"]), (1, 3))
        self.assertAlmostEqual(coverage["total_coverage"], (2 + 3 + 3) / (2 + 6 + 3) * 100)
        self.assertFalse((self.folder / "coverage.json").exists())
        complexity = tracker.measure_code_complexity()
        self.assertAlmostEqual(complexity["average_complexity"], 4 / 3)
        self.assertEqual((complexity["max_complexity"], complexity["functions_above_10"], complexity["complex_functions"]), (2, 0, []))


class Dashboard(Case):
    def test_everything_at_once_and_as_a_page(self) -> None:
        dashboard = compat.MetricsDashboard()
        self.assertEqual(dashboard.quality_tracker.project_root, Path.cwd())
        coverage = {"total_coverage": 88.0, "integration_test_count": 1, "files_below_80": [], "uncovered_lines": 12}
        complexity = dict.fromkeys(("average_complexity", "max_complexity", "functions_above_10", "complex_functions"))
        with mock.patch.object(dashboard.quality_tracker, "measure_test_coverage", return_value=coverage), mock.patch.object(
            dashboard.quality_tracker, "measure_code_complexity", return_value=complexity
        ):
            empty = dashboard.collect_all_metrics()
            self.operations("search", "ok", [10.0, 600.0], "native")
            metrics = dashboard.collect_all_metrics()
        self.assertEqual(set(metrics), {"timestamp", "performance", "memory", "reliability", "usability", "learning", "code_quality"})
        self.assertEqual((empty["memory"], empty["usability"], empty["learning"]), (None, {"no_data": True}, {"no_checkpoints": True}))
        self.assertEqual(metrics["performance"], dashboard.performance_tracker.generate_report())
        self.assertEqual(metrics["reliability"], dashboard.reliability_tracker.get_reliability_report())
        self.assertEqual(metrics["code_quality"], {"coverage": coverage, "complexity": complexity})
        json.dumps(metrics)
        page = dashboard.generate_html_dashboard(metrics)
        self.assertIn('<div class="card warning"><div>P95 response time</div><div class="value">600 ms</div>', page)
        self.assertIn('<div class="card good"><div>Overall success rate</div><div class="value">100.0 %</div>', page)
        self.assertIn('<div class="card warning"><div>Test coverage</div><div class="value">88.0 %</div>', page)
        for label in ("Memory usage", "Time to first success", "Recognition accuracy", "Average complexity"):
            self.assertIn(f'<div class="card unknown"><div>{label}</div><div class="value">–</div>', page)
        self.assertNotIn("http", page)
        # With nothing recorded no card is green.
        empty["code_quality"] = {"coverage": dict.fromkeys(coverage), "complexity": complexity}
        self.assertEqual(dashboard.generate_html_dashboard(empty).count('<div class="card unknown">'), 7)
        self.assertNotIn("<script>", dashboard.generate_html_dashboard({"timestamp": "<script>"}))

    def test_colours(self) -> None:
        colour = compat.MetricsDashboard()._get_color_class
        self.assertEqual([colour(v, 5, 15) for v in (None, 0, 5, 5.1, 15, 15.1)], ["unknown", "good", "good", "warning", "warning", "bad"])


class OneCommandOneEvent(Case):
    def test_three_trackers_tell_of_one_command(self) -> None:
        dashboard = compat.MetricsDashboard()
        for number in range(10):
            ok = number != 3
            with dashboard.performance_tracker.track_operation("install", "native"):
                pass
            dashboard.reliability_tracker.track_command("install", ok, None if ok else "connection refused")
            dashboard.usability_tracker.track_command("rose", ok)
        events = self.events("operation")
        self.assertEqual([event["outcome"] for event in events], ["ok"] * 3 + ["failed"] + ["ok"] * 6)
        for event in events:
            self.assertEqual((event["operation"], event["backend"], event["user"]), ("install", "native", self.recorder._pseudonym("rose")))
            self.assertIn("duration_us", event)
            self.assertIn("session", event)
        self.assertEqual([event.get("error") for event in events if event["outcome"] == "failed"], [{"category": "network"}])
        self.assertEqual(dashboard.performance_tracker.generate_report()["summary"]["total_operations"], 10)
        self.assertEqual(dashboard.reliability_tracker.get_success_rates(), {"install": 90.0})

    def test_in_any_order_and_from_within_the_block(self) -> None:
        performance, reliability, usability = compat.PerformanceTracker(), compat.ReliabilityTracker(), compat.UsabilityTracker()
        for _ in range(2):
            usability.track_command("rose", True)
            with performance.track_operation("search", "native"):
                reliability.track_command("search", True)
        self.assertEqual(len(self.events("operation")), 2)

    def test_what_contradicts_is_told_apart(self) -> None:
        performance, reliability = compat.PerformanceTracker(), compat.ReliabilityTracker()
        reliability.track_command("search", True)
        reliability.track_command("search", True)
        with performance.track_operation("install", "native"):
            pass
        with self.assertRaises(ValueError), performance.track_operation("list", "native"):
            raise ValueError
        reliability.track_command("list", True)
        found = [(event["operation"], event["outcome"]) for event in self.events()]
        self.assertEqual(found, [("search", "ok"), ("search", "ok"), ("install", "ok"), ("list", "failed"), ("list", "ok")])

    def test_threads_and_tasks_are_told_apart(self) -> None:
        performance, reliability = compat.PerformanceTracker(), compat.ReliabilityTracker()
        barrier = threading.Barrier(8)

        def work() -> None:
            for _ in range(20):
                barrier.wait()
                with performance.track_operation("search", "native"):
                    barrier.wait()
                reliability.track_command("search", True)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.events()), 160)

    def test_nothing_is_held_back_for_long_or_lost_at_the_end(self) -> None:
        with mock.patch.object(_commands, "HELD_BACK_S", 0.1):
            compat.ReliabilityTracker().track_command("search", True)
            deadline = time.monotonic() + 10
            while not list((self.data / "spool").glob("own-*")) and time.monotonic() < deadline:
                time.sleep(0.02)
        self.assertEqual(len(list((self.data / "spool").glob("own-*"))), 1)
        code = "from milepost import compat; compat.ReliabilityTracker().track_command('list', True)"
        environment = {**os.environ, "MILEPOST_DATA": str(self.data), "PYTHONPATH": str(ROOT / "python/src")}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
        self.assertEqual(sorted(event["operation"] for event in self.events()), ["list", "search"])

    def test_a_child_does_not_tell_what_its_parent_holds_back(self) -> None:
        compat.ReliabilityTracker().track_command("parent", True)
        child = os.fork()
        if child == 0:
            compat.ReliabilityTracker().track_command("child", True)
            compat.flush()
            os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(sorted(event["operation"] for event in self.events()), ["child", "parent"])


class Reading(Case):
    def test_a_report_that_cannot_be_read_says_why(self) -> None:
        tracker = compat.PerformanceTracker()
        for name, script, why in [
            ("fails", "echo 'milepost: no' >&2; exit 2", "milepost: no"),
            ("text", "echo hello", "did not print JSON"),
            ("newer", "echo '{\"version\": 2}'", "another version than 1"),
        ]:
            path = self.folder / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
            with mock.patch.dict(os.environ, {"MILEPOST_PROGRAM": str(path)}), self.assertRaises(compat.ReportError) as raised:
                tracker.get_p95()
            self.assertIn(why, str(raised.exception))
        with mock.patch.dict(os.environ, {"MILEPOST_PROGRAM": "", "PATH": ""}), self.assertRaisesRegex(compat.ReportError, "install it"):
            tracker.get_p95()
        with mock.patch.dict(os.environ, {"MILEPOST_PROGRAM": "/bin/sleep"}), mock.patch.object(_report, "TIMEOUT_S", 0.1):
            with self.assertRaises(compat.ReportError):
                tracker.get_p95()

    def test_recording_goes_on_where_nothing_can_be_read(self) -> None:
        with mock.patch.dict(os.environ, {"MILEPOST_PROGRAM": "", "PATH": ""}):
            compat.ReliabilityTracker().track_command("search", True)
        self.assertEqual(len(self.events()), 1)


def _rfc(us: int) -> str:
    seconds, rest = divmod(us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:06d}Z"


if __name__ == "__main__":
    unittest.main()
