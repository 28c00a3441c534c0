"""With a real Nix, in a folder of its own."""

import contextlib
import io
import json
import os
import runpy
import shutil
import stat
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import milepost

from ask_nix import __main__, assistant, backends
from ask_nix.assistant import Assistant, NotUnderstood, Person
from ask_nix.backends import Home, Native, NixError, Subprocess, native


@unittest.skipUnless(shutil.which("nix-env"), "there is no nix-env")
class WithNix(unittest.TestCase):
    folder: "tempfile.TemporaryDirectory[str]"

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        # Somebody without rights has to reach it, to be refused there.
        os.chmod(cls.folder.name, 0o755)
        cls.home = Home(Path(cls.folder.name) / "home")
        cls.home.prepare()
        cls.packages = frozenset(name.rsplit("-", 1)[0] for name in Subprocess(cls.home, "nobody").search(""))

    @classmethod
    def tearDownClass(cls) -> None:
        # Nix takes the right to write from what it has built.
        for path, folders, _ in os.walk(cls.folder.name):
            for name in [path, *(os.path.join(path, folder) for folder in folders)]:
                if not os.path.islink(name):
                    os.chmod(name, stat.S_IRWXU)
        cls.folder.cleanup()

    def setUp(self) -> None:
        self.user = self.id().rsplit(".", 1)[1]
        self.subprocess = Subprocess(self.home, self.user)
        self.native = Native(self.home, self.user)
        data = Path(self.folder.name) / self.user
        self.recorder = milepost.Recorder(data)
        self.data = data
        for name in ("operation", "session", "interaction", "label"):
            patch = mock.patch.object(assistant.milepost, name, getattr(self.recorder, name))
            patch.start()
            self.addCleanup(patch.stop)

    def assistant(self, arm: str = "control", with_native: bool = True) -> Assistant:
        reader = native(self.home, self.user) if with_native else None
        made = Assistant(self.home, Person(self.user, "maya", arm), self.packages, native=reader)
        made.begin()
        return made

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = [line for path in self.data.glob("spool/*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
        return [event for event in map(json.loads, filter(None, lines)) if event["kind"] == kind]

    def test_both_backends_list_the_same(self) -> None:
        self.assertEqual((self.subprocess.installed(), self.native.installed()), ([], []))
        self.subprocess.install("vim")
        self.subprocess.install("git")
        self.assertEqual(self.subprocess.installed(), ["git-2.46", "vim-9.1"])
        self.assertEqual(self.native.installed(), ["git-2.46", "vim-9.1"])
        self.subprocess.remove("git")
        self.assertEqual(self.native.installed(), ["vim-9.1"])
        self.subprocess.rollback()
        self.assertEqual(self.native.installed(), ["git-2.46", "vim-9.1"])
        self.assertEqual(len(self.subprocess.generations()), 3)

    def test_both_backends_search(self) -> None:
        self.assertEqual(self.subprocess.search("firef"), ["firefox-131.0"])
        self.assertEqual(self.native.search("FireF"), ["firefox-131.0"])
        self.assertEqual(self.subprocess.search("browser"), ["chromium-129.0", "firefox-131.0"])
        self.assertEqual((self.subprocess.search("no(such"), self.native.search("no(such")), ([], []))

    def test_a_search_that_nix_cannot_do_fails(self) -> None:
        with mock.patch.object(backends, "PACKAGES", Path("/nowhere")), self.assertRaises(NixError):
            self.subprocess.search("x")

    def test_each_kind_of_failure_has_its_category(self) -> None:
        helper = self.assistant()
        for request in ("install frobnicator", "update", "install vim for everyone", "enable bluetooth", "install gnucash"):
            self.assertIsNotNone(helper.ask(request).error, request)
        failed = [(event["operation"], event["error"]["category"]) for event in self.events("operation")]
        self.assertEqual(
            failed,
            [
                ("install_package", "not_found"),
                ("update_system", "network"),
                ("install_package", "permission"),
                ("generate_config", "validation"),
                ("install_package", "unknown"),
            ],
        )

    def test_a_configuration_is_kept_only_if_nix_accepts_it(self) -> None:
        helper, kept = self.assistant(), self.home.profile(self.user).with_suffix(".nix")
        self.assertIsNotNone(helper.ask("enable bluetooth").error)
        self.assertFalse(kept.exists())
        self.assertIn('"services.openssh.enable" = true;', helper.ask("enable ssh").lines[1])
        self.assertTrue(kept.exists())
        self.assertIsNone(helper.ask("configuration for vim").error)
        self.assertIn("undefined variable", str(helper.ask("configuration for frobnicator").error))

    def test_what_the_assistant_does_is_recorded_with_its_backend(self) -> None:
        for with_native in (True, False):
            helper = self.assistant(with_native=with_native)
            for request in ("list", "search vim", "install vim", "history", "remove vim", "undo"):
                self.assertIsNone(helper.ask(request).error)
        backend = [(event["operation"], event["backend"]) for event in self.events("operation")]
        self.assertEqual(
            backend[:3], [("list_installed", "native"), ("search_packages", "native"), ("install_package", "subprocess")]
        )
        self.assertEqual({name for _, name in backend[6:]}, {"subprocess"})
        sessions = {event["session"] for event in self.events("session")}
        self.assertEqual({event["session"] for event in self.events("operation")}, sessions)
        self.assertEqual({event["persona"] for event in self.events("operation")}, {"maya"})

    def test_what_was_not_understood_is_an_interaction_and_no_operation(self) -> None:
        reply = self.assistant().ask("gimme")
        self.assertEqual(reply.error, str(NotUnderstood("I did not understand that. What would you like to do?")))
        self.assertEqual(self.events("operation"), [])
        (interaction,) = self.events("interaction")
        self.assertNotIn("recognized", interaction)
        self.assertEqual((interaction["arm"], interaction["modality"], interaction["index"]), ("control", "text", 1))

    def test_a_correction_is_a_label_and_is_learned(self) -> None:
        helper = self.assistant("learning")
        reply = helper.ask("gimme vim", spoken="give me vim")
        helper.correct(reply, "gimme vim", "install_package")
        self.assertEqual(helper.ask("gimme git").request.intent, "install_package")
        (label,) = self.events("label")
        first, second = self.events("interaction")
        self.assertEqual((label["of"], label["correct"]), (first["id"], "install_package"))
        self.assertEqual((first["modality"], first["words"], first["word_errors"]), ("voice", 3, 2))
        self.assertEqual((second["recognized"], second["index"]), ("install_package", 2))

    def test_the_command(self) -> None:
        with mock.patch.dict(os.environ, {"ASK_NIX_HOME": str(self.home.folder)}):
            for words, answer, code in (("install nano", "Done.", 0), ("list", "nano-8.2", 0), ("gimme", "I did not", 1)):
                out = io.StringIO()
                argv = ["ask_nix", "--user", self.user, *words.split()]
                with mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(out):
                    self.assertEqual(__main__.main(), code)
                self.assertIn(answer, out.getvalue())

    def test_any_command_runs_with_this_nix(self) -> None:
        with mock.patch.dict(os.environ, {"ASK_NIX_HOME": str(self.home.folder)}), mock.patch.object(os, "execvpe") as execvpe:
            with mock.patch.object(sys, "argv", ["run", "nix-env", "--", "x"]):
                runpy.run_module("ask_nix.run", run_name="__main__")
        ((program, args, environment),) = [call.args for call in execvpe.call_args_list]
        self.assertEqual((program, args), ("nix-env", ["nix-env", "--", "x"]))
        self.assertEqual(environment["NIX_STORE_DIR"], str(self.home.folder.resolve() / "store"))

    def test_a_conversation(self) -> None:
        argv = ["ask_nix", "--user", self.user, "--backend", "subprocess"]
        said = mock.patch("builtins.input", side_effect=["install nano", "list", EOFError])
        out = io.StringIO()
        with mock.patch.dict(os.environ, {"ASK_NIX_HOME": str(self.home.folder)}), mock.patch.object(sys, "argv", argv), said:
            with contextlib.redirect_stdout(out):
                self.assertEqual(__main__.main(), 0)
        self.assertEqual(out.getvalue(), "Done.\nnano-8.2\n\n")
