"""Names of licences, as the Hugging Face hub writes them."""

from __future__ import annotations

import difflib

KNOWN = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc
cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1
eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc intel-research lppl-1.3c ms-pl mpl-2.0
odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr llama2 llama3 llama3.1
llama3.2 llama3.3 llama4 gemma unknown other
"""
"""From the hub's documentation of repositories."""


def doubt_of(licence: str | None) -> str:
    """A sentence where the hub knows no `licence` of that name, with the nearest that it knows; else empty."""
    known = KNOWN.split()
    if licence is None or licence in known:
        return ""
    near = difflib.get_close_matches(licence.lower().replace(" ", "-"), known, 1, 0.6)
    return f"the hub knows no licence {licence!r}" + (f"; did you mean {near[0]}?" if near else "")
