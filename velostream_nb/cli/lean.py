"""A quick start for commands that run no code but ours."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not used here", name=fullname)


def start_lean() -> None:
    """For a process of our own, before anything is imported that makes an Arrow array.

    pyarrow imports pandas with its first array, to recognise pandas' objects (0.3 s, 40 MB): here nobody has any. What
    imports leave behind lives to the end, so looking for garbage in it is in vain.
    """
    sys.meta_path.insert(0, _NoPandas())
    gc.disable()


@contextmanager
def started() -> Iterator[None]:
    """What is imported by now is not looked at inside; what comes from here on is collected as ever.

    At its end all is as it was, because modules can only be taken apart at the interpreter's end if they are seen.
    """
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.unfreeze()
