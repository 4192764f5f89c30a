"""The laws as tests of one's own.

    from ddpm_spec.laws.testing import Laws

    class TestMine(Laws):
        implementation = MyAdapter()
        expected = {"reverse/unclipped": "clips x̂_0, as the official code does"}

gives a test for each law, under pytest or, with `unittest.TestCase` as a second base, under unittest. A law
that is expected to be broken and holds is a failure as well, so that the list stays true. What the adapter
lacks is skipped.
"""

import unittest
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ddpm_spec.laws.law import LAWS, VERSION, Law
from ddpm_spec.laws.runner import Result, check

__all__ = ["Laws", "assert_conforms"]


class Laws:
    """A test for every law; see the module."""

    implementation: ClassVar[Any] = None
    """The adapter, or what makes one."""
    expected: ClassVar[Mapping[str, str]] = {}
    """Laws that are known to be broken, by id, each with the reason."""
    _results: ClassVar[dict[str, Result]]

    @classmethod
    def results(cls) -> dict[str, Result]:
        """What the laws find, by id; they run once for a class.

        Raises:
            ValueError: if an expected id is no law, or the adapter cannot be read.
        """
        if "_results" not in vars(cls):
            _refuse_unknown(cls.expected)
            made = vars(cls).get("implementation", cls.implementation)
            adapter = made() if isinstance(made, type) else made
            cls._results = {result.law.id: result for result in check(adapter)}
        return cls._results


def _test(law: Law) -> Callable[[Laws], None]:
    def test(self: Laws) -> None:
        result = self.results()[law.id]
        if result.outcome == "not judged":
            raise unittest.SkipTest(result.why)
        trouble = _trouble(result, self.expected)
        if trouble:
            raise AssertionError(trouble)

    test.__doc__ = law.name
    return test


for _law in LAWS.values():
    setattr(Laws, f"test_{_law.id.replace('/', '_').replace('-', '_')}", _test(_law))


def assert_conforms(adapter: object, allow: Mapping[str, str] | None = None) -> None:
    """Every law that can be judged holds, but for those in `allow`, which are broken for the reason given.

    Raises:
        AssertionError: naming each law that is broken or raised, each that is allowed and holds, or that none
            could be judged.
        ValueError: if an id in `allow` is no law, or the adapter cannot be read.
    """
    allowed = allow or {}
    _refuse_unknown(allowed)
    results = check(adapter)
    if not any(result.outcome in ("passed", "failed") for result in results):
        raise AssertionError(
            "no law could be judged: " + "; ".join(sorted({result.why for result in results}))
        )
    troubles = [_trouble(result, allowed) for result in results if result.outcome != "not judged"]
    if any(troubles):
        raise AssertionError("\n".join(filter(None, troubles)))


def _refuse_unknown(expected: Mapping[str, str]) -> None:
    unknown = [name for name in expected if name not in LAWS]
    if unknown:
        raise ValueError(f"there is no law {unknown[0]!r}; there are {', '.join(LAWS)}")


def _trouble(result: Result, expected: Mapping[str, str]) -> str:
    """What is wrong with a result, or nothing."""
    law, reason = result.law, expected.get(result.law.id)
    if result.outcome == "error":
        return f"{law.id}: {law.name}: raised {result.why}"
    if result.outcome == "passed":
        return f"{law.id} holds, though it was expected to be broken: {reason}" if reason is not None else ""
    if reason is not None:
        return ""
    said = (
        f"{law.id}: {law.name}: off by {result.deviation:.1e} at {result.place}, "
        f"where rounding explains {result.allowed:.1e}"
    )
    if 1 < law.since == VERSION:  # for one release a new law only warns
        warnings.warn(f"{said}; this law is new and will fail from the next version on", stacklevel=2)
        return ""
    return said
