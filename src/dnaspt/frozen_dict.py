"""A dictionary that cannot be changed, for results that several readers share."""

from typing import Any, Never, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class FrozenDict(dict[Key, Value]):
    """A dictionary that cannot be changed; `dict(frozen)` gives one that can.

    It is compared, copied and written as JSON like any other.

    Example:
        >>> scores = FrozenDict({"valid_mcc": 0.5})
        >>> scores["valid_mcc"]
        0.5
        >>> scores["valid_mcc"] = 1.0
        Traceback (most recent call last):
        ...
        TypeError: a result cannot be changed; make a copy with dict(...)
    """

    def _refuse(self, *_: Any, **__: Any) -> Never:
        raise TypeError("a result cannot be changed; make a copy with dict(...)")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the content: it is made of it again."""
        return type(self), (dict(self),)


def freeze(result: Any, *names: str) -> None:
    """Make dictionaries of a frozen dataclass ones that cannot be changed either: for its `__post_init__`."""
    for name in names:
        object.__setattr__(result, name, FrozenDict(getattr(result, name)))
