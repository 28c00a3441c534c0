import unittest

from packaging.version import Version

from audit import advisories, is_affected


class Ranges(unittest.TestCase):
    def affected(self, package: str, version: str) -> list[str]:
        return [advisory["aliases"][0] for advisory in advisories() if is_affected(advisory, package, Version(version))]

    def test_from_introduced_to_before_fixed(self) -> None:
        self.assertEqual(self.affected("urllib3", "1.26.16"), ["CVE-2024-37891", "CVE-2023-43804", "CVE-2023-45803"])
        self.assertEqual(self.affected("urllib3", "1.26.17"), ["CVE-2024-37891", "CVE-2023-45803"])
        self.assertEqual(self.affected("urllib3", "2.0.6"), ["CVE-2024-37891", "CVE-2023-45803"])
        self.assertEqual(self.affected("urllib3", "2.2.2"), [])
        self.assertEqual(self.affected("certifi", "2015.4.27"), [])

    def test_a_package_has_one_name(self) -> None:
        self.assertEqual(self.affected("Pygments", "2.7.3"), ["CVE-2021-20270"])
        self.assertEqual(self.affected("vim", "1.0"), [])
