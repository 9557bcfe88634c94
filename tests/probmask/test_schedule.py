"""ProbMask's schedules by hand."""

import pytest

from graphprune.probmask import schedule


def test_schedules_by_hand() -> None:
    at = [schedule.keep_rate(d, 0.1, start=0.16, end=0.6) for d in (0.0, 0.159, 0.38, 0.6, 0.99)]
    assert at == pytest.approx([1.0, 1.0, 0.1 + 0.9 / 8, 0.1, 0.1])
    assert schedule.temperature(0.0, 1.0, 0.03) == 1.0
    assert schedule.temperature(0.5, 1.0, 0.03) == pytest.approx(0.515)
    assert schedule.temperature(1.0, 1.0, 0.03) == pytest.approx(0.03)
    # from where a looser training ended, and from 1 where it is not said
    assert schedule.keep_rate(0.0, 0.1, 0.0, 1.0, initial=0.5) == pytest.approx(0.5)
    assert schedule.keep_rate(0.5, 0.1, 0.25, 0.75, initial=0.5) == pytest.approx(0.1 + 0.4 / 8)
    assert schedule.keep_rate(0.1, 0.1, 0.25, 0.75, initial=0.5) == 0.5
    assert schedule.keep_rate(0.25, 0.1, 0.25, 0.25) == 0.1
    assert [schedule.cosine(d) for d in (0.0, 0.5)] == pytest.approx([1.0, 0.5])
