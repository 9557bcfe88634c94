import pytest
from two_blobs import examples


@pytest.fixture
def blobs():
    """Two classes apart along one axis: 80 points in the plane."""
    return examples()
