import unittest

from ask_nix.understanding import Memory, Request, Understanding, by_rules, word_errors, words_of

PACKAGES = frozenset({"firefox", "vim"})


class Rules(unittest.TestCase):
    def test_one_word_speaks_for_an_intent(self) -> None:
        understanding = Understanding(PACKAGES)
        self.assertEqual(understanding.recognize("please install Firefox"), Request("install_package", "firefox"))
        self.assertEqual(understanding.recognize("undo!").intent, "rollback")

    def test_what_speaks_for_two_is_not_understood(self) -> None:
        self.assertIsNone(by_rules({"install", "remove"}))
        self.assertIsNone(by_rules(set()))

    def test_more_words_win(self) -> None:
        self.assertEqual(by_rules({"list", "what", "is", "installed", "add"}), "list_installed")

    def test_a_package_that_nobody_knows_is_the_last_word(self) -> None:
        self.assertEqual(Understanding(PACKAGES).recognize("install frobnicator").subject, "frobnicator")
        self.assertIsNone(Understanding(PACKAGES).recognize("  ").subject)

    def test_for_everyone(self) -> None:
        self.assertTrue(Understanding(PACKAGES).recognize("install vim for everyone").for_everyone)

    def test_words(self) -> None:
        self.assertEqual(words_of("Don't go back, VIM-2.0!"), ["dont", "go", "back", "vim-2.0"])


class Learning(unittest.TestCase):
    def test_what_was_taught_is_recalled_for_another_package(self) -> None:
        understanding = Understanding(PACKAGES, Memory())
        self.assertIsNone(understanding.recognize("gimme firefox").intent)
        understanding.learn("gimme firefox", "install_package")
        self.assertEqual(understanding.recognize("gimme vim").intent, "install_package")

    def test_what_was_taught_goes_before_the_rules(self) -> None:
        understanding = Understanding(PACKAGES, Memory())
        understanding.learn("show me the way", "list_generations")
        self.assertEqual(understanding.recognize("show me the way").intent, "list_generations")

    def test_what_is_only_a_little_alike_is_not_recalled(self) -> None:
        understanding = Understanding(PACKAGES, Memory())
        understanding.learn("take firefox away please", "remove_package")
        self.assertIsNone(understanding.recognize("take a picture").intent)

    def test_without_a_memory_nothing_is_learned(self) -> None:
        understanding = Understanding(PACKAGES)
        understanding.learn("gimme firefox", "install_package")
        self.assertIsNone(understanding.recognize("gimme firefox").intent)


class Words(unittest.TestCase):
    def test_substituted_deleted_and_inserted_words_are_errors(self) -> None:
        self.assertEqual(word_errors("install firefox please", "install firefox please"), (3, 0))
        self.assertEqual(word_errors("install firefox please", "install fire fox please"), (3, 2))
        self.assertEqual(word_errors("install firefox", "firefox"), (2, 1))
        self.assertEqual(word_errors("stop", "please stop it now"), (1, 3))
        self.assertEqual(word_errors("stop", ""), (1, 1))
