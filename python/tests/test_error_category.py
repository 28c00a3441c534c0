"""The rules for error texts are those of Milepost: its own texts, and its own words on them."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python" / "src"), str(ROOT / "python")]

import generate_rules  # noqa: E402

from milepost._error_category import Rule, Rules  # noqa: E402
from milepost._errors import outcome_of  # noqa: E402

PROGRAM = os.environ.get("MILEPOST_PROGRAM") or shutil.which("milepost") or "milepost"
TEXTS = ROOT / "crates/milepost-collect/tests/error_texts"


def samples(folder: str) -> List[Tuple[str, str]]:
    """The category that a person chose, and the text."""
    found = []
    for path in sorted((TEXTS / folder).glob("*.txt")):
        for block in path.read_bytes().decode().split("--- category: ")[1:]:
            header, _, text = block.partition("\n")
            if text.startswith("--- because: "):
                text = text.partition("\n")[2]
            found.append((header.partition(" | ")[0], text))
    return found


class Texts(unittest.TestCase):
    def test_the_rules_are_generated_from_those_of_milepost(self) -> None:
        rules = generate_rules.rules(generate_rules.SOURCE.read_text(encoding="utf-8"))
        self.assertGreater(sum(len(patterns) for _, patterns in rules), 400)
        fresh = generate_rules.python(rules)
        self.assertEqual(generate_rules.TARGET.read_text(encoding="utf-8"), fresh, "run `python python/generate_rules.py`")

    def test_texts_that_the_rules_are_tuned_on_are_right(self) -> None:
        rules = Rules.defaults()
        found = samples("")
        self.assertGreater(len(found), 600)
        wrong = [(category, rules.categorize(text), text) for category, text in found if rules.categorize(text) != category]
        self.assertEqual(wrong, [])

    def test_every_text_is_put_where_the_program_puts_it(self) -> None:
        found = samples("") + samples("held_out")
        self.assertGreater(len(found), 750)
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "MILEPOST_DATA": folder, "DO_NOT_TRACK": "", "MILEPOST_DISABLED": "", "MILEPOST_CONFIG": ""}

            def record(numbered: Tuple[int, Tuple[str, str]]) -> int:
                number, (_, text) = numbered
                told = ["--operation", str(number), "--outcome", "failed", "--error=" + text]
                return subprocess.run([PROGRAM, "record", "operation", *told], env=environment, cwd=folder, check=False).returncode

            with ThreadPoolExecutor(4) as pool:
                self.assertEqual(set(pool.map(record, enumerate(found))), {0})
            sql = "SELECT operation, error_category FROM operations"
            query = [PROGRAM, "query", "--format", "csv", sql]
            rows = subprocess.run(query, env=environment, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
        theirs = {int(number): category for number, category in (row.split(",") for row in rows)}
        ours = {number: Rules.defaults().categorize(text) for number, (_, text) in enumerate(found)}
        self.assertEqual(ours, theirs)

    def test_rules_of_the_user_come_first(self) -> None:
        rules = Rules.defaults().with_first([Rule("quota", ("quota exceeded", "disk quota *"))])
        self.assertEqual(rules.categorize("write failed: Disk quota exceeded"), "quota")
        self.assertEqual(rules.categorize("sudo: frobnicate: command not found"), "not_found")
        wrong: List[Tuple[str, Tuple[str, ...]]] = [("Quota", ("x",)), ("quota", ()), ("quota", ("*",)), ("quota", ("a\nb",))]
        for category, patterns in [*wrong, ("quota", ("x" * 201,))]:
            with self.assertRaises(ValueError):
                Rules.defaults().with_first([Rule(category, patterns)])

    def test_any_text_is_taken(self) -> None:
        for text in ("", "\ud800", "\x1b[", "\x1b]8;;", "é" * 20_000, "\n" * 10_000, "a^" * 10_000, "\x00"):
            self.assertEqual(Rules.defaults().categorize(text), "unknown")

    def test_an_exception_whose_class_tells_nothing_is_known_by_its_words(self) -> None:
        for exception, category in [
            (RuntimeError("could not resolve host: example.org"), "network"),
            (OSError(28, "No space left on device"), "unknown"),
            (ZeroDivisionError("division by zero"), "unknown"),
            (PermissionError("connection refused"), "permission"),
        ]:
            self.assertEqual(outcome_of(exception, Rules.defaults()), ("failed", category, None))


if __name__ == "__main__":
    unittest.main()
