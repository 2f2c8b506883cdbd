"""What a request says has one meaning, or is refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.sync.errors import MalformedRequest
from libres.sync.strict_json import read_json

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)

DOCUMENTS = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc\n\"'é"), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b'{"a": NaN}', "finite", id="NaN"),
        pytest.param(b"[Infinity]", "finite", id="infinity"),
        pytest.param(b"[-Infinity]", "finite", id="negative infinity"),
        pytest.param(b"[1e999]", "too large", id="too large for a float"),
        pytest.param(b"[" + b"9" * 2000 + b"]", "too long", id="too many digits"),
        pytest.param(b'{"a": 1, "a": 2}', "twice", id="twice"),
        pytest.param(b'[{"b": {"a": 1, "\\u0061": 2}}]', "twice", id="twice, escaped"),
        pytest.param(b'["\\ud800"]', "half a character", id="first half"),
        pytest.param(b'["\\udc00"]', "half a character", id="second half"),
        pytest.param(b'{"\\uD83D": 1}', "half a character", id="half in a key"),
        pytest.param(b'["\xed\xa0\x80"]', "UTF-8", id="half in bytes"),
        pytest.param(b'["\xff"]', "UTF-8", id="not UTF-8"),
        pytest.param(b"", "character 0", id="empty"),
        pytest.param(b"[1] 2", "character 4", id="two documents"),
        pytest.param(b"\xef\xbb\xbf[]", "JSON", id="byte order mark"),
        pytest.param(b'["a\nb"]', "JSON", id="line in a text"),
        pytest.param(b"[1,]", "JSON", id="comma"),
        pytest.param(b"[" * 21 + b"]" * 21, "deeper than 20", id="deep"),
        pytest.param(b"[" * 10**6, "deep", id="very deep"),
        pytest.param(b'{"a":' * 10**5 + b"1" + b"}" * 10**5, "deep", id="deep keys"),
    ],
)
def test_refused(raw, reason):
    """It is malformed, and the reason says why."""
    with pytest.raises(MalformedRequest, match=reason):
        read_json(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b'"\\ud83d\\ude00"', "\U0001f600", id="both halves"),
        pytest.param(b'"\\\\ud800"', "\\ud800", id="no escape"),
        pytest.param(b"-0.0", -0.0, id="negative zero"),
        pytest.param(b"12345678901234567890", 12345678901234567890, id="long number"),
        pytest.param(b'{"": 1}', {"": 1}, id="empty key"),
    ],
)
def test_read(raw, value):
    """What is unusual, but right, is read."""
    assert read_json(raw) == value


def test_deepest_is_allowed():
    """As deep as allowed is not too deep, for lists and objects alike."""
    document = 1
    for n in range(20):
        document = [document] if n % 2 else {"a": document}
    assert read_json(json.dumps(document).encode()) == document


def test_reason_tells_nothing_of_what_was_sent():
    """Values stay out of messages, which are logged."""
    with pytest.raises(MalformedRequest) as caught:
        read_json(b'{"password": "hunter2", "password": "hunter2"}')
    assert "hunter2" not in str(caught.value)


@given(DOCUMENTS)
def test_round_trip(document):
    """What was written as JSON is read as it was."""
    assert read_json(json.dumps(document).encode(), 200) == document


@given(st.binary())
def test_any_bytes(raw):
    """Whatever comes is read or refused, and nothing else happens."""
    with suppress(MalformedRequest):
        read_json(raw)
