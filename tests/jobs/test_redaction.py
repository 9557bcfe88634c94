"""No secret of an address survives in what is shown, however it is written."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from unittest.mock import patch
from urllib.parse import quote, quote_plus

import pytest
import requests
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from graphprune.jobs import redaction
from graphprune.jobs.redaction import HIDDEN, public, redacted, redactor

# what a token or a password may be made of, the letters that mean something in an address too
SECRETS = st.text(
    st.sampled_from("abcXYZ0189-_.~!$*+,;=:@/?#&%[]()\\'\"é "), min_size=4, max_size=16
).map(lambda text: f"s3{text}t")
PLACES = [
    "https://{}@mlflow.example.org:5000/a",
    "https://{}:@mlflow.example.org",
    "https://anna:{}@mlflow.example.org/a/b",
    "https://{}:x-oauth-basic@mlflow.example.org",
    "https://mlflow.example.org?token={}",
    "https://mlflow.example.org/a?x=1&api_key={}&y=2",
    "https://mlflow.example.org/a?{}",
    "https://mlflow.example.org/a?x=1#{}",
    "postgresql://anna:{}@db.example.org/mlflow?sslmode=require",
    "postgresql://anna@/mlflow?host=%2Ftmp&sslpassword={}",
    "mssql+pyodbc://anna@db.example.org:1433/mlflow?access_token={}",
    "sqlite:////data/mlflow.db?sig={}",
]
ENCODINGS = [str, quote, lambda text: quote(text, safe=""), quote_plus]


def written(secret: str) -> set[str]:
    """The ways in which a message may write a secret."""
    return {encode(secret) for encode in ENCODINGS} | {
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        quote(quote(secret, safe=""), safe=""),
    }


def messages(uri: str) -> list[str]:
    """What libraries say of an address that they cannot use or reach."""
    said = [f"no answer from {uri}", repr(uri), json.dumps({"uri": uri}), quote(uri, safe="")]
    rest = uri.partition("://")[2]
    said.append(f"Max retries exceeded with url: /api/2.0?{rest.partition('?')[2]} (refused)")
    try:
        parsed = sqlalchemy.make_url(uri)
        said += [str(parsed), repr(parsed), f"authentication failed for user {parsed.username!r}"]
        said += [f"{parsed.password!r} {dict(parsed.query)}"]
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        said.append(str(error))
    try:
        said.append(str(requests.Request("GET", f"{uri}/api").prepare().url))
    except (requests.exceptions.RequestException, ValueError) as error:
        said.append(str(error))
    return said


@settings(max_examples=100, deadline=None)
@given(SECRETS, st.sampled_from(PLACES), st.sampled_from(ENCODINGS))
def test_no_secret_of_a_known_address_survives(secret: str, place: str, encode) -> None:
    if encode is str:
        secret = secret.replace("%", "-")  # decoded it would be another one
    uri = place.format(encode(secret))
    with patch.dict(os.environ, {"MLFLOW_TRACKING_URI": uri}, clear=True):
        for message in [*messages(uri), *written(secret)]:
            shown = redacted(message)
            assert not [form for form in written(secret) if form in shown], (message, shown)
    assert not [form for form in written(secret) if form in public(uri)]


URL_SAFE = st.text(st.sampled_from("abcXYZ0189-_.~%40%2F"), min_size=8, max_size=20)


@settings(max_examples=100, deadline=None)
@given(URL_SAFE, st.sampled_from(PLACES))
def test_no_secret_of_an_unknown_address_survives_in_a_text(secret: str, place: str) -> None:
    uri = place.format(secret)
    with patch.dict(os.environ, clear=True):
        for message in (f"see {uri}, twice", f"<{uri}>", f"'{uri}'", quote(uri, safe="")):
            assert secret not in redacted(message)
            assert quote(secret, safe="") not in redacted(message)


@given(
    SECRETS, st.sampled_from(["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD"])
)
def test_no_secret_of_a_variable_survives(secret: str, name: str) -> None:
    secret = secret.replace("://", "-")
    with patch.dict(os.environ, {name: secret}, clear=True):
        for form in written(secret):
            assert form not in redacted(f"before {form} after"), form


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://mlflow.example.org:5000", "http://mlflow.example.org:5000"),
        ("http://[::1]:5000/a", "http://[::1]:5000/a"),
        ("https://anna:secret@mlflow.example.org/a", "https://mlflow.example.org/a"),
        ("https://secret@mlflow.example.org", "https://mlflow.example.org"),
        ("https://mlflow.example.org?token=a@b", "https://***"),
        ("https://anna:sec/r@et?@mlflow.example.org", "https://***"),
        ("https://anna:secret", "https://***"),
        ("https:///secret@mlflow.example.org", "https://***"),
        ("postgresql://mlflow@/db?host=/run", "postgresql:///db"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
        ("sqlite:///a@b/mlflow.db?token=secret", "sqlite:///a@b/mlflow.db"),
        ("file:///data/a@b", "file:///data/a@b"),
        ("mlruns?token=secret", "mlruns"),
        ("databricks", "databricks"),
    ],
)
def test_what_is_shown_of_an_address(uri: str, shown: str) -> None:
    assert public(uri) == shown
    with patch.dict(os.environ, clear=True):
        assert "secret" not in redacted(f"at {uri}")


@pytest.mark.parametrize(
    "text",
    [
        "digits/mlp/seed0: epoch 3 of 20, loss 0.5, 100 % done (see results/logs)",
        "mlflow server does not start on http://127.0.0.1:5000; see server/mlflow.log",
        "MLFLOW_AUTH_ADMIN_PASSWORD is not set; the first start takes the password of 'admin'",
        "no MLflow store at /data/a@b/mlflow.db; create it first (create_store)",
        "is it there? yes=no",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    environment = {"MLFLOW_TRACKING_URI": "postgresql://mlflow:pw@db/mlflow?sslmode=require"}
    with patch.dict(os.environ, environment, clear=True):
        assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "connection failed: password=abc host=db",
            f"connection failed: password={HIDDEN} host=db",
        ),
        ('{"api_key": "abc", "a": 1}', f'{{"api_key": "{HIDDEN}", "a": 1}}'),
        ("Authorization: Bearer abcdefgh.ijk", f"Authorization: Bearer {HIDDEN}"),
    ],
)
def test_fields_that_are_named_like_secrets(text: str, shown: str) -> None:
    with patch.dict(os.environ, clear=True):
        assert redacted(text) == shown


@pytest.fixture
def _guarded(monkeypatch: pytest.MonkeyPatch):
    factory, formatted = logging.getLogRecordFactory(), warnings.formatwarning
    hooks = sys.excepthook, redaction.threading.excepthook
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://t0psecret@h.example.org?token=hidden%40x")
    redaction.guard()
    yield
    logging.setLogRecordFactory(factory)
    warnings.formatwarning = formatted
    sys.excepthook, redaction.threading.excepthook = hooks


@pytest.mark.usefixtures("_guarded")
def test_logs_and_warnings_of_any_library_are_redacted() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("mlflow.of_this_test")
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("%s and %r", "t0psecret", {"token": "hidden@x"}, stack_info=True)
    try:
        raise ValueError("https://t0psecret@h.example.org") from OSError("hidden%40x")
    except ValueError:
        logger.exception("failed at %s", os.environ["MLFLOW_TRACKING_URI"])
    said = stream.getvalue() + warnings.formatwarning("t0psecret", UserWarning, "a.py", 1)
    assert "ValueError: https://h.example.org" in said
    assert "Traceback" in said
    for secret in ("t0psecret", "hidden@x", "hidden%40x"):
        assert secret not in said


def test_the_output_of_another_program_is_redacted(tmp_path) -> None:
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": "postgresql://anna:t0psecret@db/m"}
    with (tmp_path / "log").open("wb") as stream:
        process = redactor(stream, environment)
    process.communicate(b"role t0psecret\n\xff at postgresql://anna:t0psecret@db/m\nend")
    assert process.returncode == 0
    assert (tmp_path / "log").read_bytes() == b"role ***\n\xff at postgresql://db/m\nend"


def test_an_error_that_nobody_caught_is_redacted() -> None:
    program = "from graphprune.jobs.redaction import guard; guard(); raise OSError('at t0psecret')"
    environment = {**os.environ, "MLFLOW_TRACKING_TOKEN": "t0psecret"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("OSError: at ***\n")
    assert "t0psecret" not in done.stderr
