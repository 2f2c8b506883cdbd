"""A dict in a ``jsonb`` column that notices its own changes."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class JSON(TypeDecorator[dict[str, Any]]):
    """``jsonb``; None is stored as ``{}`` and NULL is read as ``{}``.

    How values are serialised is the engine's business (``json_serializer``).
    """

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return {} if value is None else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return {} if value is None else value


class TrackedDict(MutableDict[str, Any]):
    """A dict that reports changes of itself and of the dicts directly within it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for key, value in self.items():
            dict.__setitem__(self, key, self._adopted(value))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, self._adopted(value))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*, which is *default* from now on if it had none."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several values at once, as for any dict."""
        adopted = dict(*args, **kwargs)
        super().update({key: self._adopted(value) for key, value in adopted.items()})

    def _adopted(self, value: Any) -> Any:
        return _InnerDict(self, value) if type(value) in (dict, _InnerDict) else value


class _InnerDict(dict[str, Any]):
    """A dict within a TrackedDict; tells it of its changes."""

    def __init__(self, owner: TrackedDict, values: dict[str, Any]) -> None:
        super().__init__(values)
        self._owner = owner

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (dict(self),))

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return deepcopy(dict(self), memo)


def _reporting(name: str) -> Any:
    change = getattr(dict, name)

    def method(self: _InnerDict, *args: Any, **kwargs: Any) -> Any:
        result = change(self, *args, **kwargs)
        self._owner.changed()
        return result

    method.__name__ = name
    method.__doc__ = change.__doc__
    return method


for _name in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
):
    setattr(_InnerDict, _name, _reporting(_name))

TrackedDict.associate_with(JSON)
