"""What verification found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from graphprune.errors import UserError


@dataclass
class Findings:
    """What does not belong, and what was looked at.

    wrong: damage and misplacement, a line each that begins with the file. outdated: artifacts that
    are whole and in their place, but made by other code or settings than those at hand. foreign:
    files that are not of this configuration. absent: artifacts that are not there and from which
    nothing was made, or which an archive left out. remarks: what else is worth a line.
    looked: how many of what were looked at.
    """

    wrong: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    looked: Counter[str] = field(default_factory=Counter)

    def add(self, line: str) -> None:
        """Note what is wrong, once."""
        if line not in self.wrong:
            self.wrong.append(line)

    @contextmanager
    def reading(self, path: str, what: str) -> Iterator[None]:
        """Within the block: what is wrong with ``path``, which should be ``what``."""
        try:
            yield
        except UserError as error:
            self.add(str(error))
        except OSError as error:
            self.add(f"{error.filename or path}: {error.strerror}; expected {what}")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            self.add(f"{path}: is not {what} ({type(error).__name__}: {reason})")
