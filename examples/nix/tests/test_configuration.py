import unittest

from ask_nix.configuration import as_nix, configuration_for


class Configuration(unittest.TestCase):
    def test_an_option_stands_for_a_subject(self) -> None:
        self.assertEqual(configuration_for("printer"), {"services.printing.enable": True})

    def test_what_is_no_option_is_a_package(self) -> None:
        self.assertEqual(configuration_for("vim"), {"environment.systemPackages": ["vim"]})

    def test_as_nix_reads_it(self) -> None:
        options = {"sound.enable": True, "environment.systemPackages": ["a", "b"]}
        self.assertEqual(as_nix(options), '{\n  "sound.enable" = true;\n  "environment.systemPackages" = [ "a" "b" ];\n}\n')

    def test_a_text_stays_a_text(self) -> None:
        self.assertEqual(as_nix({"x": 'say "${y}"'}), '{\n  "x" = "say \\"\\${y}\\"";\n}\n')
