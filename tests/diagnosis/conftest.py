import pytest
from tests.diagnosis.worlds import KNOWN

from ptde.envs.registry import WORLDS


@pytest.fixture(scope="module", autouse=True)
def worlds():
    """As a user's own world is made known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WORLDS, "known", KNOWN)
        yield
