import pytest

from xdomain.core.errors import UserError
from xdomain.core.plugins import make_adapter
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe


@pytest.fixture
def write(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def learn(write):
    """The table of a file of one's own, as a run reads it."""

    def learn(content, name="data.csv", domain="dna", **options):
        recipe = own_recipe(write(content, name) if isinstance(content, (str, bytes)) else content, domain, **options)
        return load_table(recipe, adapter=make_adapter(domain, {}, tokenizer=None))

    return learn


@pytest.fixture
def refusal():
    """The message of the error that a call ends in."""

    def refusal(read, *args, **options):
        with pytest.raises(UserError) as refused:
            read(*args, **options)
        return refused.value.block()

    return refusal


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "home"))
