"""The benchmark of the web edge, at a small size."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks.web import asking
from benchmarks.web.__main__ import main
from benchmarks.web.asking import Kind
from benchmarks.web.driving import Answer, drive


def test_small(server):
    """Every request is answered as expected, or it says so and fails."""
    arguments = ["--rooms", "2", "--days", "8", "--seconds", "0.5"]
    several = ["--clients", "1", "--clients", "3", "--dsn", server.dsn("postgres")]
    result = CliRunner().invoke(main, [*arguments, *several], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for name in ("a week of a room", "the same, unchanged", "a search", "a booking"):
        assert name in result.output


def test_errors_are_counted():
    """A server that is gone is an error of each client."""
    kind = Kind("nothing", 200, lambda: iter([b""] * 10))
    found = drive("http://127.0.0.1:1/", kind, 2, 0.1)
    assert found.errors == {"ConnectionRefusedError": 2}


@pytest.mark.parametrize(
    ("head", "status", "tag"),
    [
        (b'HTTP/1.1 200 OK\r\nETag: "x"\r\nA: b', 200, '"x"'),
        (b"HTTP/1.1 304 NOT MODIFIED", 304, ""),
    ],
)
def test_answer(head, status, tag):
    """Status and headers of an answer are read."""
    answer = Answer(head, b"")
    assert (answer.status, answer.header(b"etag")) == (status, tag)


def test_message():
    """A request is written as HTTP has it."""
    sent = asking.message("POST", "/search", "k", {"a": 1}, Idempotency_Key="x")
    head, body = sent.split(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /search HTTP/1.1"
    assert b"Idempotency-Key: x" in head
    assert body == b'{"a": 1}'
    assert b"Content-Length: 8" in head
