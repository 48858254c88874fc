"""Runs that are ended in their midst, in this process or with it."""

import contextlib
import os
import pkgutil
import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from unittest import mock


class Killed(BaseException):
    """Ends a run in this process where another process would be killed."""


def stop() -> None:
    raise Killed


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def ending_in(place: str, call: int, end: Callable[[], None]) -> Iterator[None]:
    """End a run at the n-th call of a function. place: ``package.module.Class.method``."""
    original = pkgutil.resolve_name(place)
    calls = count(1)

    def counting(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            end()
        return original(*args, **kwargs)

    with mock.patch(place, counting):
        yield
