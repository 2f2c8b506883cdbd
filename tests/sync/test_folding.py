"""Of several changes of a row, one thing is told; pages end where transactions do."""

from __future__ import annotations

import pytest

from libres.sync.feed.folding import Judged, fold, taken

ROW = ("m", "1")


def change(position, told, row="1", transaction=None):
    """A change as ``..`` (not seen), ``+.`` (seen before), ``.+``, or ``++``."""
    return Judged(
        position=position,
        transaction=position if transaction is None else transaction,
        row=("m", row),
        version=position,
        was=told[0] == "+",
        image={"at": position} if told[1] == "+" else None,
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param([".+"], "row", id="enters"),
        pytest.param(["+."], "gone", id="leaves"),
        pytest.param(["++"], "row", id="stays"),
        pytest.param([".."], None, id="outside"),
        pytest.param([".+", "++"], "row", id="enters, and is changed"),
        pytest.param(["+.", ".+"], "row", id="leaves, and is back"),
        pytest.param(
            [".+", "+."], "gone", id="a device may have seen it in between, as a row"
        ),
        pytest.param([".+", "+.", ".."], "gone", id="and the last change counts"),
        pytest.param(["..", "..", ".."], None, id="outside all the time"),
        pytest.param(["..", ".+"], "row", id="outside, then enters"),
        pytest.param(["+.", ".."], "gone", id="leaves, and is changed"),
    ],
)
def test_fold(changes, told):
    """What is told of a row."""
    made = [change(number, each) for number, each in enumerate(changes, 1)]
    found = fold(made)
    if told is None:
        assert found == []
        return
    (only,) = found
    assert (only.row, only.version) == (ROW, len(changes))
    assert only.image == ({"at": len(changes)} if told == "row" else None)


def test_order():
    """Rows come in the order of their last changes."""
    made = [change(1, ".+", "1"), change(2, ".+", "2"), change(3, "++", "1")]
    assert [each.row[1] for each in fold(made)] == ["2", "1"]


def page(transactions, *, most, is_end=True, told=".+"):
    """Tell how many of changes are taken, by the numbers of their transactions."""
    made = [
        change(number, told, str(number), transaction)
        for number, transaction in enumerate(transactions, 1)
    ]
    return taken(made, most, is_end=is_end)


@pytest.mark.parametrize(
    ("transactions", "most", "is_end", "count"),
    [
        pytest.param([], 3, True, 0, id="nothing"),
        pytest.param([1, 1, 2], 3, True, 3, id="all of it fits"),
        pytest.param([1, 1, 2, 2], 3, True, 2, id="the second would be cut"),
        pytest.param([1, 1, 1, 1], 3, True, 3, id="the first is too large"),
        pytest.param([1, 2, 3], 3, False, 2, id="the third may go on"),
        pytest.param([1, 1], 3, False, 2, id="the first may go on, and is too large"),
        pytest.param([1, 2, 2, 2, 2], 3, True, 1, id="a large one begins a page"),
    ],
)
def test_taken(transactions, most, is_end, count):
    """How many changes a page takes."""
    assert page(transactions, most=most, is_end=is_end) == count


def test_what_is_not_seen_takes_no_room():
    """Changes that are not told do not fill a page."""
    assert page([1, 2, 3, 4], most=2, told="..") == 4


def test_the_same_row_takes_room_once():
    """Ten changes of a row are one row."""
    made = [change(number, "++") for number in range(1, 11)]
    assert taken(made, 1, is_end=True) == 10
