"""What may be shown of an address, and texts without the secrets that this process knows.

Of any URI only scheme, host, port and path are shown: user information, query and fragment may
hold a password or a token. :func:`redacted` does that to every URI in a text. It also takes out
what the environment says is secret, wherever it stands: libraries repeat parts of an address in
their errors. :func:`guard` does it to everything that a process logs, warns of or dies by, and
``python -I redaction.py < text`` to the output of another program.

A secret of fewer than four characters is taken out of addresses only.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import IO, Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"

_URI = re.compile(
    r"\b[a-z](?:[a-z0-9+.-]|%2B)*(?P<mark>://|%3A%2F%2F|:%2F%2F)[^\s\"'<>]*", re.IGNORECASE
)
# requests names the path and the query of an address without its host
_QUERY = re.compile(r"(?<=[\w/.%-])\?[^\s\"'<>?]*=[^\s\"'<>]*")
_NAMES = r"(?:pass(?:word|wd)|token|secret|api[_-]?key|access[_-]?key|signature|credential)"
_FIELD = re.compile(
    rf"(?P<name>[\w-]*{_NAMES}[\w-]*[\"']?\s*[=:]\s*)(?P<quote>[\"']?)[^\s\"'&;,)]+", re.IGNORECASE
)
_HEADER = re.compile(r"\b(?P<scheme>Bearer|Basic) [\w.~+/=-]{8,}")
# variables whose value is a secret as a whole
_VARIABLE = re.compile(_NAMES, re.IGNORECASE)
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[\w.-]*)(?::[0-9]*)?")
# schemes whose address without a host names a file, in which @ is a letter like others
_FILES = ("sqlite", "file")
# what options of databases are set to
_HARMLESS = frozenset(
    ("true", "false", "none", "null", "utf8", "mlflow", "require", "prefer", "allow", "disable")
)
_SHORTEST, _LONG = 4, 8


def public(uri: str) -> str:
    """Scheme, host, port and path of ``uri``; all else is left out.

    An address in which @ stands behind the first of ``/?#`` can be read in two ways, one of which
    would show a part of the password; of it only the scheme is shown.

    >>> public("postgresql://token@db.example.org:5432/mlflow?sslpassword=x")
    'postgresql://db.example.org:5432/mlflow'
    >>> public("sqlite:///data/a@b/mlflow.db")
    'sqlite:///data/a@b/mlflow.db'
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return re.split("[?#]", uri, maxsplit=1)[0]
    shown = re.split("[?#]", rest, maxsplit=1)[0]
    authority = shown.partition("/")[0]
    if not authority and scheme.split("+")[0].lower() in _FILES:
        return f"{scheme}://{shown}"
    host = authority.rpartition("@")[2]
    if "@" in rest[len(authority) :] or not _HOST.fullmatch(host):
        return f"{scheme}://{HIDDEN}"
    return f"{scheme}://{host}{shown[len(authority) :]}"


def redacted(text: str) -> str:
    """``text`` with the public part of every URI in it, and ``***`` for each known secret.

    Known are the user information, the query and the fragment of every URI in the environment, and
    the variables named like a password, token, secret or key; as they are, percent-encoded, and as
    ``repr`` and JSON write them.

    >>> redacted("no answer from https://anna:pass@mlflow.example.org:5000/a?token=x")
    'no answer from https://mlflow.example.org:5000/a'
    >>> redacted("Max retries exceeded with url: /api?token=x (refused)")
    'Max retries exceeded with url: /api?*** (refused)'
    """
    for pattern, replacement in _known(tuple(sorted(os.environ.items()))):
        text = pattern.sub(replacement, text)
    text = _URI.sub(_public_match, text)
    text = _QUERY.sub(f"?{HIDDEN}", text)
    text = _FIELD.sub(lambda match: f"{match['name']}{match['quote']}{HIDDEN}", text)
    return _HEADER.sub(lambda match: f"{match['scheme']} {HIDDEN}", text)


def _public_match(match: re.Match[str]) -> str:
    # a sentence goes on behind the address
    found = match[0].rstrip(").,;:]}")
    shown = public(found if match["mark"] == "://" else unquote(found))
    return shown + match[0][len(found) :]


@lru_cache(maxsize=8)
def _known(environment: tuple[tuple[str, str], ...]) -> list[tuple[re.Pattern[str], str]]:
    """What to replace, the longest first, and by what."""
    shown: dict[str, str] = {}
    for name, value in environment:
        if "://" in value:
            shown.update(dict.fromkeys(secrets(value), HIDDEN))
            if value != public(value):
                shown[value] = public(value)
        elif _VARIABLE.search(name) and len(value) >= _SHORTEST:
            shown[value] = HIDDEN
    found = {
        (form, replacement.replace("\\", r"\\"))
        for secret, replacement in shown.items()
        if secret.lower() not in _HARMLESS
        for form in _forms(secret)
    }
    longest_first = sorted(found, key=lambda pair: (-len(pair[0]), pair))
    return [(_pattern(form), replacement) for form, replacement in longest_first]


def secrets(uri: str) -> set[str]:
    """The parts of ``uri`` that :func:`public` leaves out and that are long enough to be found.

    >>> sorted(secrets("https://anna:1234@example.org/?token=5678"))
    ['1234', '5678', 'anna', 'anna:1234', 'token=5678']
    """
    shown = public(uri)
    rest = uri.partition("://")[2]
    parts: set[str] = set()
    if not shown.startswith(f"{uri.partition('://')[0]}:///"):
        parts |= set(_runs(rest.rpartition("@")[0], ":"))
    for tail in re.split("[?#]", rest, maxsplit=1)[1:]:
        # a part without a name is a secret, a name is none
        runs = set(_runs(tail, "[?&;#]"))
        parts |= runs | {run.partition("=")[2] for run in runs}
    words = set(re.split(r"[^\w.~-]+", shown))
    return {part for part in parts if len(part) >= _SHORTEST} - words


def _runs(text: str, separator: str) -> Iterator[str]:
    """What stands between any two of the next five separators, for a secret may hold some."""
    starts = [0, *(match.end() for match in re.finditer(separator, text)), len(text) + 1]
    for i, start in enumerate(starts):
        yield from (text[start : end - 1] for end in starts[i + 1 : i + 6])
    yield text


def _forms(secret: str) -> Iterator[str]:
    for plain in {secret, unquote(secret), unquote_plus(secret)}:
        encoded = quote(plain, safe="")
        yield from (plain, encoded, quote(plain), quote_plus(plain), quote(encoded, safe=""))
        yield from (repr(plain)[1:-1], json.dumps(plain)[1:-1])


def _pattern(form: str) -> re.Pattern[str]:
    """``form``, also where a message was broken into lines; a short one only as a whole word."""
    text = r"\s+".join(map(re.escape, re.split(r"\s+", form)))
    if len(form) >= _LONG:
        return re.compile(text, re.IGNORECASE)
    return re.compile(rf"(?<!\w){text}(?!\w)")


class _Record(logging.LogRecord):
    """A record that holds no secret in what formatters ask it for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.exc_info:
            # formatters take this text where there is one
            self.exc_text = redacted(logging.Formatter().formatException(self.exc_info))
        if self.stack_info:
            self.stack_info = redacted(self.stack_info)

    def getMessage(self) -> str:  # noqa: N802  logging's name
        return redacted(super().getMessage())


def guard() -> None:
    """From now on no log, warning or traceback of this process shows a secret; for programs."""
    logging.setLogRecordFactory(_Record)
    formatted = warnings.formatwarning

    def warned(*args: Any, **kwargs: Any) -> str:
        return redacted(formatted(*args, **kwargs))

    def died(kind: Any, error: Any, where: Any) -> None:
        sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, where))))

    warnings.formatwarning = warned
    sys.excepthook = died
    threading.excepthook = lambda args: died(args.exc_type, args.exc_value, args.exc_traceback)


def redactor(stream: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process that writes to ``stream`` what it reads from its standard input, redacted.

    environment: of the program whose output it reads. It ends when its input ends; no signal to
    the programs of a terminal ends it earlier.
    """
    return subprocess.Popen(
        [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=stream, env=environment
    )


def main() -> None:
    """Copy standard input to standard output, line by line, redacted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        text = redacted(line.decode(errors="surrogateescape"))
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
