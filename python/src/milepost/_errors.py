"""How an exception counts: the outcome of the operation that it ended, and the category of what went wrong."""

from __future__ import annotations

from typing import Optional, Tuple

from ._error_category import Rules

# By the names of classes, so that nothing has to be imported that the product does not use. The first name in the order of
# inheritance decides: a PermissionError is an OSError too.
_CANCELLED = {"KeyboardInterrupt", "CancelledError", "GeneratorExit"}
_TIMEOUT = {"TimeoutError", "TimeoutExpired"}
_CATEGORIES = {
    "ConnectionError": "network",
    "gaierror": "network",
    "herror": "network",
    "SSLError": "network",
    "URLError": "network",
    "PermissionError": "permission",
    "FileNotFoundError": "not_found",
    "ImportError": "not_found",
    "LookupError": "not_found",
    "ValueError": "validation",
    "TypeError": "validation",
}


def outcome_of(exception: BaseException, rules: Rules) -> Tuple[str, Optional[str], Optional[int]]:
    """The outcome, the category of what went wrong, and the exit code where there is one.

    Where the class tells no category, what it says may: `RuntimeError("could not resolve host")` is `network`.
    """
    names = [cls.__name__ for cls in type(exception).__mro__]
    if isinstance(exception, SystemExit):
        code = exception.code
        number = 0 if code is None else code if isinstance(code, int) else 1
        return ("ok" if number == 0 else "failed"), None if number == 0 else "unknown", number
    if not _CANCELLED.isdisjoint(names):
        return "cancelled", None, None
    if not _TIMEOUT.isdisjoint(names):
        return "timeout", "unknown", None
    category = next((_CATEGORIES[name] for name in names if name in _CATEGORIES), None)
    if category is None:
        category = rules.categorize(f"{names[0]}: {exception}")
    code = getattr(exception, "returncode", None)
    return "failed", category, code if isinstance(code, int) and not isinstance(code, bool) else None
