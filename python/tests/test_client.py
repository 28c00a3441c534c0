"""The client beside the program: what it records is what the program reads."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python" / "src"))

import milepost  # noqa: E402
from milepost import _place, _wire  # noqa: E402
from milepost._spool import new_id  # noqa: E402

PROGRAM = os.environ.get("MILEPOST_PROGRAM") or shutil.which("milepost") or "milepost"


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "data"
        for name in ("DO_NOT_TRACK", "MILEPOST_DISABLED", "MILEPOST_CONFIG", "MILEPOST_DATA"):
            patch = mock.patch.dict(os.environ)
            patch.start()
            self.addCleanup(patch.stop)
            os.environ.pop(name, None)

    def program(self, *args: str, given: str = "") -> str:
        env = {**os.environ, "MILEPOST_DATA": str(self.data)}
        done = subprocess.run([PROGRAM, *args], cwd=self.folder, env=env, input=given, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def events(self) -> List[Dict[str, Any]]:
        return [json.loads(line) for line in self.program("export").splitlines()]


class Wire(Case):
    def test_valid_vectors_come_out_as_they_went_in(self) -> None:
        for line in (ROOT / "vectors" / "valid.jsonl").read_text().splitlines():
            event = _wire.parsed(line)
            self.assertEqual(json.loads(_wire.line(event)), json.loads(line))
            # Numbers apart, which every language writes in its own way, the bytes are the same: keys are in one order.
            self.assertEqual(list(event), list(json.loads(line)))

    def test_accepted_vectors_are_written_in_the_one_form(self) -> None:
        for line in (ROOT / "vectors" / "accepted.jsonl").read_text().splitlines():
            pair = json.loads(line)
            self.assertEqual(json.loads(_wire.line(_wire.parsed(json.dumps(pair["given"])))), pair["written"])

    def test_invalid_vectors_are_refused(self) -> None:
        for line in (ROOT / "vectors" / "invalid.jsonl").read_text().splitlines():
            pair = json.loads(line)
            with self.assertRaises(milepost.Invalid, msg=pair["line"]):
                _wire.line(_wire.parsed(pair["line"]))

    def test_the_keys_are_those_of_the_schema(self) -> None:
        schema = json.loads((ROOT / "schemas" / "event.schema.json").read_text())
        kinds = {}
        for definition in schema["$defs"].values():
            kind = definition.get("properties", {}).get("kind", {}).get("const")
            if kind:
                kinds[kind] = (set(definition["properties"]), set(definition["required"]) - {"v", "kind", "at"})
        shared = _wire._SHARED
        self.assertEqual({kind: (shared | set(own), set(list(own)[:n])) for kind, (own, n) in _wire.KINDS.items()}, kinds)


class Recording(Case):
    def test_every_kind_arrives(self) -> None:
        recorder = milepost.Recorder(self.data, version="1.3.0")
        session = recorder.session("rose@example.org")
        with recorder.operation("search", backend="native", user="rose@example.org", session=session, attributes={"channel": "23.11"}):
            pass
        said = recorder.interaction("install", arm="learning", modality="voice", index=1, words=3, word_errors=0, text="secret", user="rose@example.org")
        recorder.label(said, "remove")
        recorder.memory("r-1", 187_695_104, every_s=10, process="nix", pid=4711, cpu_s=0.25)
        recorder.measurement("coverage.statements", 88, unit="%", source="coverage.py 7.6", attributes={"covered": 440, "of": 500})
        recorder.note("feedback", "secret", score=4)
        recorder.note("decision", "We go on.")
        self.assertEqual((recorder.lost, recorder.last_problem), (0, None))
        events = self.events()
        found = {event["kind"]: event for event in events}
        self.assertEqual(len(events), 8)
        operation = found["operation"]
        self.assertEqual((operation["operation"], operation["outcome"], operation["backend"]), ("search", "ok", "native"))
        self.assertEqual(operation["attributes"], {"channel": "23.11", "door": "python"})
        self.assertEqual((operation["version"], operation["origin"], operation["session"]), ("1.3.0", "use", session))
        # The same pseudonym as the program gives, and the name nowhere.
        self.program("record", "operation", "--operation", "list", "--outcome", "ok", "--user", "rose@example.org")
        listed = next(event for event in self.events() if event.get("operation") == "list")
        self.assertEqual(listed["user"], operation["user"])
        self.assertEqual(listed["host"], operation["host"])
        self.assertNotIn("rose", json.dumps(events))
        # Texts are off, but for what is kept with decisions.
        self.assertNotIn("secret", json.dumps(events))
        self.assertIn("We go on.", json.dumps(events))
        self.assertEqual(found["label"]["of"], said)
        self.assertEqual((found["memory"]["every_us"], found["memory"]["cpu_us"]), (10_000_000, 250_000))
        self.assertEqual((found["measurement"]["value"], found["measurement"]["attributes"]["of"]), (88.0, 500))

    def test_exceptions_are_outcomes_and_go_on(self) -> None:
        recorder = milepost.Recorder(self.data)

        class Cancelled(BaseException):
            pass

        Cancelled.__name__ = "CancelledError"
        cases = [
            (ConnectionRefusedError("x"), "failed", "network", None),
            (PermissionError("x"), "failed", "permission", None),
            (FileNotFoundError("x"), "failed", "not_found", None),
            (KeyError("x"), "failed", "not_found", None),
            (ValueError("x"), "failed", "validation", None),
            (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), "failed", "validation", None),
            (RuntimeError("x"), "failed", "unknown", None),
            (subprocess.CalledProcessError(3, "nix"), "failed", "unknown", 3),
            (subprocess.TimeoutExpired("nix", 1), "timeout", "unknown", None),
            (TimeoutError("x"), "timeout", "unknown", None),
            (KeyboardInterrupt(), "cancelled", None, None),
            (Cancelled(), "cancelled", None, None),
            (SystemExit(0), "ok", None, 0),
            (SystemExit(None), "ok", None, 0),
            (SystemExit(2), "failed", "unknown", 2),
            (SystemExit("bad"), "failed", "unknown", 1),
        ]
        for number, (exception, *_) in enumerate(cases):
            with self.assertRaises(type(exception)):
                with recorder.operation(f"o{number}"):
                    raise exception
        found = {event["operation"]: event for event in self.events()}
        for number, (exception, outcome, category, code) in enumerate(cases):
            event = found[f"o{number}"]
            got = (event["outcome"], event.get("error", {}).get("category"), event.get("exit_code"))
            self.assertEqual(got, (outcome, category, code), repr(exception))
            self.assertNotIn("text", event.get("error", {}))

    def test_inside_it_can_say_how_it_ended(self) -> None:
        recorder = milepost.Recorder(self.data)
        with recorder.operation("a") as operation:
            operation.backend = "subprocess"
            operation.fail("network", "no route", exit_code=7)
        with recorder.operation("b") as operation:
            operation.cancel()
        with recorder.operation("c") as operation:
            operation.dry_run()
        found = {event["operation"]: event for event in self.events()}
        self.assertEqual((found["a"]["outcome"], found["a"]["backend"], found["a"]["exit_code"]), ("failed", "subprocess", 7))
        self.assertEqual(found["a"]["error"], {"category": "network"})
        self.assertEqual((found["b"]["outcome"], found["c"]["dry_run"]), ("cancelled", True))

    def test_an_operation_is_written_as_any_event_is(self) -> None:
        recorder = milepost.Recorder(self.data, version="1.2%d")
        names = ["search", "%s", 'a"b', "ä\\\u2028", '"duration_us":31622400000000', '"id":"', '","at":"']
        shared: List[Dict[str, Any]] = [
            {},
            {"user": "rose@example.org"},
            {"session": "s-1 %"},
            {"session": 's"2'},
            {"session": 65 * "s"},
            {"user": "ä", "session": "s-3", "persona": "%d", "dry_run": True},
            {"session": "s-4", "attributes": {"session": "s-4", "id": "x", "door": "own"}},
        ]
        told = [{"operation": name, "backend": backend, **more} for name in names for backend in (None, name) for more in shared]
        for given in told * 2:
            with recorder.operation(**given):
                pass
        recorder.close()
        self.assertEqual(recorder.lost, 0, recorder.last_problem)
        (segment,) = (self.data / "spool").glob("own-*.jsonl")
        lines = [line for line in segment.read_bytes().split(b"\n") if line]
        self.assertEqual(len(lines), len(told) * 2)
        for line, given in zip(lines, told * 2):
            event = _wire.parsed(line.decode())
            self.assertEqual(_wire.line(event), b"\n" + line + b"\n")
            for key in ("operation", "backend", "session", "persona", "dry_run"):
                self.assertEqual(event.get(key), given.get(key), key)
            self.assertEqual(event["outcome"], "ok")
            self.assertLess(event["duration_us"], 60_000_000)
            self.assertEqual(event.get("user"), recorder._pseudonym(given.get("user")))
            self.assertEqual(event["version"], "1.2%d")
            self.assertEqual(event["attributes"], given.get("attributes", {"door": "python"}))
        self.assertEqual(len({json.loads(line)["id"] for line in lines}), len(lines))

    def test_what_was_right_of_one_operation_is_looked_at_in_the_next(self) -> None:
        recorder = milepost.Recorder(self.data)
        wrong: List[Dict[str, Any]] = [{"dry_run": 1}, {"backend": ["native"]}, {"persona": ""}, {"user": 5}, {"session": 5}, {"session": ""}]
        for given in wrong:
            lost = recorder.lost
            with recorder.operation("search", dry_run=True):
                pass
            self.assertEqual(recorder.lost, lost)
            with recorder.operation("search", **given):
                pass
            self.assertEqual(recorder.lost, lost + 1, given)

    def test_decorators_time_each_call(self) -> None:
        recorder = milepost.Recorder(self.data)

        @recorder.operation("add")
        def add(a: int, b: int) -> int:
            """Adds."""
            return a + b

        @recorder.operation("wait")
        async def wait() -> str:
            await asyncio.sleep(0.02)
            return "done"

        async def both() -> List[str]:
            return list(await asyncio.gather(wait(), wait()))

        self.assertEqual((add(1, 2), add(2, b=3), add.__doc__), (3, 5, "Adds."))
        self.assertEqual(asyncio.run(both()), ["done", "done"])
        events = self.events()
        self.assertEqual([e["operation"] for e in events].count("add"), 2)
        waited = [e["duration_us"] for e in events if e["operation"] == "wait"]
        self.assertEqual(len(waited), 2)
        self.assertTrue(all(us >= 20_000 for us in waited), waited)

    def test_texts_are_stored_where_the_configuration_allows_them(self) -> None:
        recorder = milepost.Recorder(self.data, texts=frozenset({"error", "interaction", "feedback"}))
        recorder.interaction("install", text="install firefox")
        recorder.note("feedback", "Good.")
        with self.assertRaises(ValueError), recorder.operation("search"):
            raise ValueError("no such package")
        said = json.dumps(self.events())
        for text in ("install firefox", "Good.", "no such package"):
            self.assertIn(text, said)


class Harmless(Case):
    def test_nothing_is_raised_and_everything_is_counted(self) -> None:
        (self.folder / "data").write_text("a file where a folder should be")
        recorder = milepost.Recorder(self.data)
        with self.assertLogs("milepost", "WARNING") as logged:
            with recorder.operation("search", user="rose"):
                pass
            recorder.measurement("x", float("nan"))
        self.assertEqual(recorder.lost, 2)
        self.assertEqual(len(logged.records), 1)
        self.assertIsNotNone(recorder.last_problem)

    def test_what_is_no_event_is_lost_and_said(self) -> None:
        recorder = milepost.Recorder(self.data)
        with self.assertLogs("milepost", "WARNING"):
            recorder.measurement("x", float("inf"))
        for bad in ("", "x" * 20_000, "\ud800", 3):
            recorder.measurement(bad, 1)  # type: ignore[arg-type]
        with self.assertRaises(milepost.Invalid):
            recorder.record({"kind": "operation", "operation": "x", "outcome": "ok", "secret": 1}, strict=True)
        with self.assertRaises(milepost.Invalid):
            ahead = datetime.now(timezone.utc) + timedelta(minutes=6)
            recorder.record({"kind": "operation", "operation": "x", "outcome": "ok", "at": ahead}, strict=True)
        self.assertEqual(recorder.lost, 7)
        self.assertEqual(self.events(), [])

    def test_who_does_not_want_to_be_tracked_is_not(self) -> None:
        for name in ("DO_NOT_TRACK", "MILEPOST_DISABLED"):
            with mock.patch.dict(os.environ, {name: "1"}):
                recorder = milepost.Recorder(self.data)
                recorder.session("rose")
                with recorder.operation("search"):
                    pass
                self.assertEqual(recorder.lost, 0)
        self.assertFalse(self.data.exists())

    def test_a_newer_layout_is_left_alone(self) -> None:
        milepost.Recorder(self.data).measurement("x.y", 1)
        layout = self.data / "spool" / "spool.json"
        layout.write_text(layout.read_text().replace('"version": 1', '"version": 2'))
        recorder = milepost.Recorder(self.data)
        with self.assertLogs("milepost", "WARNING") as logged:
            recorder.measurement("x.y", 1)
        self.assertIn("spool.json has version 2, and this client reads version 1: upgrade it", logged.output[0])

    def test_a_folder_that_everybody_may_write_to_is_refused(self) -> None:
        milepost.Recorder(self.data).measurement("x.y", 1)
        for folder in self.data, self.data / "spool":
            folder.chmod(0o777)
            recorder = milepost.Recorder(self.data)
            with self.assertLogs("milepost", "WARNING") as logged:
                recorder.measurement("x.y", 1)
            self.assertIn("everybody may write to this folder", logged.output[0])
            folder.chmod(0o775)
        milepost.Recorder(self.data).measurement("x.y", 1)
        self.assertEqual(len(self.events()), 2)

    def test_files_are_the_owners_only(self) -> None:
        milepost.Recorder(self.data).measurement("x.y", 1)
        for folder, _, names in os.walk(self.data):
            self.assertEqual(os.stat(folder).st_mode & 0o077, 0, folder)
            for name in names:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)


class ManyAtOnce(Case):
    def test_a_signal_handler_may_record_while_its_thread_does(self) -> None:
        recorder = milepost.Recorder(self.data)
        handled = []

        def handler(*_: object) -> None:
            handled.append(1)
            recorder.record({"kind": "measurement", "name": "in.handler", "value": 1})

        before = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        # Rarely enough that no handler interrupts another one on a busy machine.
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        outside = 0
        while len(handled) < 20:
            recorder.measurement("outside", 1)
            outside += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        names = [event["name"] for event in self.events()]
        self.assertEqual((names.count("outside"), names.count("in.handler"), recorder.lost), (outside, len(handled), 0))

    def test_a_child_records_though_another_thread_held_the_lock_at_the_fork(self) -> None:
        recorder = milepost.Recorder(self.data)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with recorder._lock:
                held.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)  # Ends a child that waits for ever.
            recorder.measurement("in.child", 1)
            os._exit(0)
        done.set()
        thread.join()
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual([event["name"] for event in self.events()], ["in.child"])

    def test_an_exception_that_cannot_say_what_it_is_goes_on(self) -> None:
        class Odd(Exception):
            def __str__(self) -> str:
                raise ValueError("no words")

        recorder = milepost.Recorder(self.data)
        with self.assertRaises(Odd), recorder.operation("x"):
            raise Odd
        (event,) = self.events()
        self.assertEqual((event["outcome"], event["error"]["category"]), ("failed", "unknown"))

    def test_threads_share_a_recorder(self) -> None:
        recorder = milepost.Recorder(self.data)

        def work(thread: int) -> None:
            for number in range(200):
                recorder.record({"kind": "measurement", "id": f"{thread}-{number}", "name": "x.y", "value": number})

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len({event["id"] for event in self.events()}), 1600)

    def test_a_child_gives_other_random_numbers_than_its_parent(self) -> None:
        ours, read, write = new_id(), *os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(write, "".join(new_id() for _ in range(10)).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        theirs = os.read(read, 4096).decode()
        os.close(read)
        os.close(write)
        following = [new_id()[-12:] for _ in range(10)]
        self.assertEqual(len(theirs), 10 * len(ours))
        self.assertFalse([random for random in following if random in theirs])

    def test_a_thousand_forked_processes_lose_nothing(self) -> None:
        recorder = milepost.Recorder(self.data)
        recorder.measurement("before.fork", 1)
        begin_read, begin_write = os.pipe()
        children = []
        for child in range(1000):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    os.close(begin_write)
                    os.read(begin_read, 1)  # Ends when all are there.
                    for number in range(3):
                        recorder.record({"kind": "measurement", "id": f"{child}-{number}", "name": "x.y", "value": 1}, strict=True)
                    status = 0 if recorder.lost == 0 else 2
                finally:
                    os._exit(status)
            children.append(pid)
        os.close(begin_read)
        os.close(begin_write)
        ended = [os.waitpid(pid, 0)[1] for pid in children]
        self.assertEqual(set(ended), {0})
        recorder.measurement("after.fork", 1)
        events = self.events()
        wanted = {f"{child}-{number}" for child in range(1000) for number in range(3)}
        self.assertEqual({e["id"] for e in events if e["name"] == "x.y"}, wanted)
        self.assertEqual(len(events), 3002)
        self.assertNotIn("no events", self.program("doctor"))

    def test_compaction_takes_what_is_closed_and_leaves_what_is_open(self) -> None:
        (self.folder / "milepost.toml").write_text('[project]\nname = "x"\n')
        recorder = milepost.Recorder(self.data)
        recorder.measurement("x.y", 1)
        self.program("track")
        self.assertEqual(len(list((self.data / "spool").glob("own-*"))), 1)
        recorder.close()
        self.program("track")
        self.assertEqual(list((self.data / "spool").glob("own-*")), [])
        recorder.measurement("x.y", 2)
        self.assertEqual(sorted(e["value"] for e in self.events() if e["kind"] == "measurement"), [1.0, 2.0])


class Places(Case):
    def test_the_data_are_where_the_program_looks(self) -> None:
        (self.folder / "milepost.toml").write_text('[project]\nname = "a/b"\nversion = "2.0"\n[privacy]\ntexts = ["error"]\n')
        inner = self.folder / "src" / "deep"
        inner.mkdir(parents=True)
        environment = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "xdg")}
        place = _place.Place.find(environment, str(inner))
        if sys.version_info < (3, 11):
            self.assertEqual((place.data, place.texts), (None, frozenset()))
        else:
            self.assertEqual(place.data, str(self.folder / "xdg" / "milepost" / "a%2Fb"))
            self.assertEqual((place.texts, place.version), ({"error"}, "2.0"))
        (self.folder / ".milepost").mkdir()
        self.assertEqual(_place.Place.find(environment, str(inner)).data, str(self.folder / ".milepost"))
        self.assertEqual(_place.Place.find({**environment, "MILEPOST_DATA": "/elsewhere"}, str(inner)).data, "/elsewhere")
        self.assertIsNone(_place.Place.find({"HOME": "/nowhere"}, "/").data)

    @unittest.skipIf(sys.version_info < (3, 11), "there is no reader of TOML")
    def test_a_configuration_of_a_newer_format_is_left_alone(self) -> None:
        (self.folder / "milepost.toml").write_text('format = 2\n[project]\nname = "p"\n')
        with self.assertRaisesRegex(ValueError, "is of format 2, and this client reads format 1: upgrade it"):
            _place.Place.find({"HOME": str(self.folder)}, str(self.folder))


if __name__ == "__main__":
    unittest.main()
