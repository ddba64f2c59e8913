"""What each shipped domain can do beside encoding."""

import inspect

import pytest

from xdomain.core import adapter_protocols
from xdomain.core.plugins import make_adapter, path_options
from xdomain.core.sequences import Adapter

PROTOCOLS = {
    name: one
    for name, one in vars(adapter_protocols).items()
    if inspect.isclass(one) and one.__module__ == adapter_protocols.__name__
}


@pytest.mark.parametrize(
    ("domain", "able"),
    [
        ("dna", {"HasSpans", "KeepsFiles", "RecognizesOtherDomains", "ReverseComplements", "SpacesTokens"}),
        ("protein", {"HasSpans", "RecognizesOtherDomains"}),
        ("speech", {"HasSpans", "ReadsFiles", "CutsFiles", "KeepsFiles", "ChecksRecords", "SpacesTokens"}),
        ("music", {"HasSpans", "ReadsFiles", "Transposes", "SpacesTokens"}),
        ("text", {"HasSpans", "HasWordStarts", "KeepsFiles", "ReadsLines"}),
        ("tokens", {"HasSpans", "KeepsFiles", "LearnsAlphabet", "ReadsLines", "RecognizesOtherDomains"}),
        ("synthetic", {"KeepsFiles", "ReadsLines"}),
    ],
)
def test_a_domain_has_what_it_is_asked_for(domain, able, tiny_bert):
    adapter = make_adapter(domain, tokenizer=str(tiny_bert))
    adapter = adapter.fitted([["a"]]) if isinstance(adapter, adapter_protocols.LearnsAlphabet) else adapter
    assert isinstance(adapter, Adapter)
    assert {name for name, one in PROTOCOLS.items() if isinstance(adapter, one)} == able


@pytest.mark.parametrize(
    ("domain", "options"),
    [
        ("dna", ("merges",)),
        ("speech", ("codebook",)),
        ("text", ("tokenizer",)),
        ("tokens", ("vocabulary",)),
        ("synthetic", ("counts",)),
    ],
)
def test_options_that_name_files_say_so(domain, options):
    """What a domain keeps beside a run is what a study looks into."""
    assert path_options(domain) == options
