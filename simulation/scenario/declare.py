"""How parameters are declared: a section, a parameter with unit, meaning, source and bounds, a range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function


class Section(BaseModel):
    """A group of parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


#: The source of a parameter that nobody has a source for.
ASSUMPTION = "assumption"


def par(
    default: Any,
    unit: str,
    meaning: str,
    source: str = ASSUMPTION,
    *,
    range: tuple[float, float] | None = None,
    times: tuple[float, float] | None = None,
    because: str = "",
    **bounds: Any,
) -> Any:
    """Declare a parameter: its default, unit, meaning, source and pydantic bounds (ge, gt, le, lt).

    ``range`` (least and largest value) or ``times`` (the same over the value that a scenario has) is the range in which
    a parameter without a source is tried, where the usual one (half to double) makes no sense, and ``because`` says why.
    Raises ValueError where a range has no reason, or a reason no range.
    """
    if (range is not None) + (times is not None) != bool(because):
        raise ValueError(f"{meaning!r}: a range of its own (range or times) needs a reason (because), a reason a range")
    extra: dict[str, Any] = {"unit": unit, "source": source}
    if because:
        extra |= {"range" if range else "times": list(range or times or ()), "because": because}
    return Field(default, description=meaning, json_schema_extra=extra, **bounds)


def said(field: FieldInfo | None, what: str) -> str:
    """Return the ``unit`` or the ``source`` of a parameter as it was declared, "" of a section or of nothing."""
    extra = field.json_schema_extra if field else None
    return str(extra.get(what, "")) if isinstance(extra, dict) else ""


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the lower end of a range must not exceed the upper end")
    return pair


@dataclass(frozen=True)
class Ends:
    """Bounds of every number of a range or list, as ``ge`` and ``le`` are of a number."""

    ge: float
    le: float = math.inf

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, numbers: tuple[float, ...]) -> tuple[float, ...]:
        if min(numbers, default=self.ge) < self.ge:
            raise ValueError(f"every number of the list must be at least {self.ge:g}")
        if max(numbers, default=self.le) > self.le:
            raise ValueError(f"every number of the list must be at most {self.le:g}")
        return numbers


#: A uniform range [low, high]; agents draw from it. Of amounts and rates, of shares, and of what may be negative.
Range = Annotated[tuple[float, float], AfterValidator(_ordered), Ends(0.0)]
ShareRange = Annotated[tuple[float, float], AfterValidator(_ordered), Ends(0.0, 1.0)]
FreeRange = Annotated[tuple[float, float], AfterValidator(_ordered)]


Share = Annotated[float, Field(ge=0, le=1)]
