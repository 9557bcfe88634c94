"""graphprune.score refuses what it does not know."""

import pytest
from torch import nn

import graphprune
from graphprune.errors import UserError


def test_an_unknown_method_or_option_is_named():
    model = nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(UserError, match=r"method is 'magnitud'; allowed: .*magnitude"):
        graphprune.score(model, "magnitud")
    with pytest.raises(UserError, match="option of method random is 'sed'; allowed: seed"):
        graphprune.score(model, "random", sed=1)
