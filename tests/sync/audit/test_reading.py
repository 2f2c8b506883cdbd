"""What the audit tells of changes: who, when, what; filtered, page by page."""

from __future__ import annotations

from tests.sync.models import Customer


def test_history_of_a_row(trail, customer):
    """The changes of a row are told, the latest first."""
    made = customer("Ann", age=4)
    made.age = 5
    trail.commit()
    second, first = trail.history(Customer, made.id)
    assert (first.action, second.action) == ("insert", "update")
    assert [(each.field, each.before, each.after) for each in second.changes] == [
        ("age", 4, 5)
    ]


def test_example(trail, example):
    """The configuration is noted."""
    assert trail.history("libres.sync.Permission")
