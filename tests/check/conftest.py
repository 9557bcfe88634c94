import pytest

from graphprune import check, plugins


@pytest.fixture(autouse=True)
def _alone():
    with plugins.only_plugins([]):
        yield


@pytest.fixture
def checked(tmp_path, capsys):
    """A function: the exit code for a plug-in of this text, and the lines that were printed."""

    def run(text):
        path = tmp_path / "plugin.py"
        path.write_text(text)
        status = check.main([str(path), "--data", str(tmp_path / "data")])
        return status, capsys.readouterr().out.splitlines()

    return run
