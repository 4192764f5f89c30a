"""What was found about one implementation, as data: results, costs, and what it says of itself."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddpm_spec.laws.cause import causes
from ddpm_spec.laws.cost import Cost, Moments, cost
from ddpm_spec.laws.description import described
from ddpm_spec.laws.law import LAWS, VERSION
from ddpm_spec.laws.protocol import Stated
from ddpm_spec.laws.runner import Result, check
from ddpm_spec.laws.subject import Subject

__all__ = ["FORMAT", "Verdict", "judge"]

FORMAT = 1
"""Of the JSON that a verdict is written as."""

_STATED = [name for name in vars(Stated) if not name.startswith("_")]


@dataclass(frozen=True)
class Verdict:
    """What the laws say of one implementation."""

    target: str
    """The name by which it was asked for."""
    versions: Mapping[str, str]
    """Of the packages that it is made of."""
    stated: Mapping[str, Any]
    """What its adapter states, where that is not what is taken anyway."""
    results: Sequence[Result]
    costs: Sequence[Cost]
    about: str = ""
    """The same in words, and whether the schedule is the paper's."""
    causes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Known mistakes that break the same laws by the same amounts, each with the laws that it explains."""

    @property
    def judged(self) -> list[Result]:
        """The laws that could be judged."""
        return [result for result in self.results if result.outcome in ("passed", "failed")]

    @property
    def broken(self) -> list[Result]:
        """The laws that are broken."""
        return [result for result in self.results if result.outcome == "failed"]

    @property
    def status(self) -> int:
        """The exit status: 0 for some laws judged and none broken, 1 for a broken one, 2 for neither."""
        if self.broken:
            return 1
        raised = any(result.outcome == "error" for result in self.results)
        return 2 if raised or not self.judged else 0

    def to_json(self) -> str:
        """Read back by `from_json`. What is not finite is written as a string."""
        return json.dumps(
            {
                "format": FORMAT,
                "laws": VERSION,
                "target": self.target,
                "versions": dict(self.versions),
                "stated": dict(self.stated),
                "results": [
                    {
                        "law": result.law.id,
                        "outcome": result.outcome,
                        "deviation": _number(result.deviation),
                        "allowed": _number(result.allowed),
                        "where": result.where,
                        "why": result.why,
                        "lacks": result.lacks,
                    }
                    for result in self.results
                ],
                "costs": [
                    {
                        "variance": found.variance,
                        "samples": found.samples and vars(found.samples),
                        "right": vars(found.right),
                        "bound": _number(found.bound),
                        "bound_error": _number(found.bound_error),
                        "why": found.why,
                    }
                    for found in self.costs
                ],
                "about": self.about,
                "causes": dict(self.causes),
            },
            indent=1,
            ensure_ascii=False,
            default=list,
        )

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """A verdict that was written.

        Raises:
            ValueError: if the text is no such JSON, or of a format that came later.
        """
        try:
            told = json.loads(text)
            if told["format"] > FORMAT:
                raise ValueError(f"it is of format {told['format']}; this version reads up to {FORMAT}")
            return cls(
                told["target"],
                told["versions"],
                told["stated"],
                [
                    Result(
                        LAWS[result["law"]],
                        result["outcome"],
                        float(result["deviation"]),
                        float(result["allowed"]),
                        result["where"],
                        result["why"],
                        tuple(result["lacks"]),
                    )
                    for result in told["results"]
                    if result["law"] in LAWS
                ],
                [
                    Cost(
                        found["variance"],
                        found["samples"] and Moments(**found["samples"]),
                        Moments(**found["right"]),
                        None if found["bound"] is None else float(found["bound"]),
                        float(found["bound_error"]),
                        found["why"],
                    )
                    for found in told["costs"]
                ],
                told["about"],
                told["causes"],
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"this is no verdict: {type(error).__name__}: {error}") from None


def _number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)


def judge(
    target: str, adapter: object, versions: Mapping[str, str] | None = None, *, costs: bool = True
) -> Verdict:
    """Every law on an adapter, and what its deviations cost.

    Raises:
        ValueError: if the adapter cannot be read at all, see `laws.check`.
    """
    subject = Subject(adapter)
    stated = {name: subject.stated(name) for name in _STATED if subject.stated(name) != getattr(Stated, name)}
    results = check(adapter)
    able = costs and subject.has("tables") and (subject.has("p_sample") or subject.has("bound_term"))
    found = {cause.mistake.what: sorted(cause.laws) for cause in causes(adapter, results)}
    priced = cost(adapter) if able and any(result.outcome == "failed" for result in results) else ()
    return Verdict(target, versions or {}, stated, results, priced, described(subject), found)
