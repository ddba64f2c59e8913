"""The two windows about a variant: by hand, and as a slow twin that writes the whole changed sequence has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.inference.variants.variant import Edit, Variant, checked

TEXT = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def variant(*edits, text=TEXT):
    made = checked({}, [Edit(*edit) for edit in edits], len(text), lambda a, b: text[a:b], what="it", place="base")
    assert not made.error, made.error
    return made


@pytest.mark.parametrize(
    ("edits", "width", "ref", "alt"),
    [
        ([(10, "K", "k")], 5, "IJKLM", "IJkLM"),
        ([(10, "K", "k")], 4, "IJKL", "IJkL"),
        ([(10, "KLM", "K")], 6, "JKLMNO", "JKNOPQ"),  # LM deleted: P and Q come in at the right
        ([(10, "K", "Kxy")], 6, "JKLMNO", "JKxyLM"),  # xy inserted: N and O go out
        ([(1, "B", "b")], 6, "ABCDEF", "AbCDEF"),  # moved back to the start
        ([(24, "Y", "y")], 6, "UVWXYZ", "UVWXyZ"),  # and from the end
        ([(23, "XYZ", "X")], 6, "UVWXYZ", "STUVWX"),  # each ends with its own sequence
        ([(3, "D", "d"), (6, "G", "g")], 6, "CDEFGH", "CdEFgH"),
        ([(3, "D", "d"), (6, "G", "")], 6, "CDEFGH", "CdEFHI"),
        ([(10, "K", "k")], None, TEXT, TEXT.replace("K", "k")),
        ([(10, "K", "")], None, TEXT, TEXT.replace("K", "")),
        ([(10, "K", "k")], 100, TEXT, TEXT.replace("K", "k")),
        ([(10, "K", "K")], 3, "ABC", "ABC"),  # no change at all
    ],
)
def test_by_hand(edits, width, ref, alt):
    found = variant(*edits).windows(width)
    if edits == [(10, "K", "K")]:
        assert found[0] == found[1]
    else:
        assert found == (ref, alt)


@given(st.data())
def test_as_the_whole_changed_sequence_has_them(data):
    text = "".join(data.draw(st.lists(st.sampled_from("ACGT"), min_size=1, max_size=30)))
    start = data.draw(st.integers(0, len(text) - 1))
    ref = text[start : start + data.draw(st.integers(1, 6))]
    alt = "".join(data.draw(st.lists(st.sampled_from("ACGT"), min_size=1, max_size=6)))
    one = variant((start, ref, alt), text=text)
    changed = text[:start] + alt + text[start + len(ref) :]
    width = data.draw(st.integers(7, 40))
    before, after = one.windows(width)
    assert (len(before), len(after)) == (min(width, len(text)), min(width, len(changed)))
    assert one.windows(None) == (text, changed)
    if text == changed:
        assert before == after
        return
    assert before != after or before in changed or after in text  # differ, unless the change repeats what is there
    begins = [i for i in range(len(text)) if text[i : i + len(before)] == before]
    assert begins
    assert after in changed
    edit = one.edits[0]
    assert any(i <= edit.start and edit.end <= i + len(before) for i in begins)  # the whole allele stands in it
    where = [i for i in range(len(changed)) if changed[i : i + len(after)] == after]
    assert any(i <= edit.start and edit.start + len(edit.alt) <= i + len(after) for i in where)


def test_what_does_not_fit_is_told():
    with pytest.raises(DataError, match=r"takes 4 letters, more than the window of 3"):
        variant((4, "EFGHI", "E")).windows(3)

    def why(*edits):
        return checked({}, [Edit(*edit) for edit in edits], 26, lambda a, b: TEXT[a:b], what="it", place="base").error

    assert why((3, "x", "y")) == "it has D at 4, not x: another base"
    assert why((25, "ZA", "Z")) == "it has 26 bases, none at 27"
    assert why((-1, "A", "B")) == "it has 26 bases, none at 0"
    assert why((3, "DE", "d"), (4, "E", "e")) == "two changes at one place"
    assert Variant({}).error == ""
