"""The feed loses nothing while eight write at once; readers by time and by number do.

``python -m benchmarks.sync --only feed`` does the same for a minute.
"""

from __future__ import annotations

import pytest
from pytest_postgresql.factories import postgresql_noproc

from benchmarks.sync.proof import prove
from benchmarks.sync.tables import prepare
from libres.sync import Sync
from tests.fixtures.database import PREFIX, make_tables

template = postgresql_noproc(
    dbname=f"{PREFIX}feed",
    load=[make_tables],
    load_autocommit=False,
    depends_on="server",
)
"""The tables of the proof are made in the database of the test."""


@pytest.fixture
def proof(context):
    """Eight writers, one reader of the feed, and one who reads as applications do."""
    prepare(Sync(context))
    return prove(context, writers=8, transactions=60)


def test_feed_loses_nothing(proof):
    """All that was committed is there once, in order, whole, without a gap."""
    assert len(proof.committed) > 300
    assert proof.rolled_back > 30
    assert proof.lost == 0
    assert proof.invented == 0
    assert proof.gaps == 0
    assert proof.disorder == 0
    assert proof.torn == 0
    # The control: those who read beside it have missed some.
    assert proof.committed - proof.by_time
    assert proof.committed - proof.by_number
