"""The benchmark of synchronisation, at a small size."""

from __future__ import annotations

from click.testing import CliRunner

from benchmarks.sync.__main__ import main
from benchmarks.sync.proof import Change, Proof

SMALL = [
    *("--transactions", "5", "--rows", "1000", "--devices", "20"),
    *("--sizes", "1", "--sizes", "20", "--rounds", "20"),
]


def test_small(server):
    """Everything is measured, and the feed is what it has to be."""
    arguments = [*SMALL, "--dsn", server.dsn("postgres")]
    result = CliRunner().invoke(main, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for name in ("time of saving", "trigger", "mixed, 20", "by the feed", "32 writers"):
        assert name in result.output


def change(position, key, before, after, *, xid=1, tx_end=True):
    """A change of a row that counts."""
    images = {"value": before}, {"value": after}
    return Change(position, xid, tx_end, "proof_counters", key, *images)


def test_faults_are_seen():
    """A gap, a change out of order, one that is lost, and a torn transaction."""
    right = [change(1, "7", 0, 1, tx_end=False), change(2, "8", 0, 1)]
    good = Proof(counted=2, changes=right, values={"7": 1, "8": 1})
    assert (good.lost, good.gaps, good.disorder, good.torn) == (0, 0, 0, 0)
    assert Proof(counted=3, changes=right, values={"7": 1, "8": 1}).lost == 1
    assert Proof(committed={5}, counted=2, changes=right).lost == 1
    assert Proof(counted=2, changes=right, values={"7": 2, "8": 1}).disorder == 1
    gap = [right[0], change(3, "8", 0, 1)]
    assert Proof(counted=2, changes=gap, values={"7": 1, "8": 1}).gaps == 1
    late = [change(1, "7", 1, 2), change(2, "7", 0, 1, xid=2)]
    assert Proof(counted=2, changes=late, values={"7": 1}).disorder == 2
    torn = [
        change(1, "7", 0, 1),
        change(2, "8", 0, 1, xid=2),
        change(3, "9", 0, 1),
    ]
    assert Proof(counted=3, changes=torn, values={"7": 1, "8": 1, "9": 1}).torn == 1
