"""Rights count at once, and those who lack them learn nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from libres.sync.errors import MalformedRequest, ResyncRequired
from libres.sync.keyring import configure
from libres.sync.models import SyncLog
from libres.sync.values import Flags
from tests.sync.models import Customer, Report
from tests.sync.pulls import ACME, READING, RETAIL, SECRET, Phone, member_of

NAME = "myapp.Customer"


@pytest.fixture(autouse=True)
def keys(context):
    """A secret to sign cursors by."""
    configure(context, SECRET)


@pytest.fixture(autouse=True)
def rows(sync):
    """A customer and a report of Acme."""
    sync.session.execute(insert(Customer).values(organization_id=ACME, name="Ada"))
    sync.session.execute(insert(Report).values(organization_id=ACME, title="r"))
    sync.session.commit()


def with_flags(member, **flags):
    """The same member with other rights to customers."""
    return replace(member, flags={**member.flags, NAME: Flags(**flags)})


def test_refused(sync):
    """Who may not pull customers gets none, and is told so (S11)."""
    member = member_of(models=["Report"])
    body = sync.pull(member, {"models": {NAME: None}}).body
    assert body["data"] == []
    assert body["metadata"][NAME]["count"] == 0
    assert body["metadata"][NAME]["error"]


def test_unknown(sync):
    """For a model that does not exist, they are told the same (S11)."""
    member = member_of(models=["Report"])
    asked = {NAME: None, "myapp.Nothing": None, "myapp.customer": None}
    metadata = sync.pull(member, {"models": asked}).body["metadata"]
    assert len({each["error"] for each in metadata.values()}) == 1
    assert all(set(each) == {"error", "count"} for each in metadata.values())


def test_others_are_sent(sync):
    """What they may pull comes all the same."""
    member = member_of(models=["Report"])
    body = sync.pull(member, {"models": {NAME: None, "myapp.Report": None}}).body
    assert [row["_model"] for row in body["data"]] == ["myapp.Report"]


def test_everything_is_what_they_may(sync):
    """Without models it is what they may pull, without a word about the rest."""
    body = sync.pull(member_of(models=["Report"]), {}).body
    assert list(body["metadata"]) == ["myapp.Report"]


@pytest.mark.parametrize(
    ("flags", "comes"),
    [
        pytest.param({"pull": True, "read": True}, True, id="both are needed"),
        pytest.param({"pull": True}, False, id="pull alone does not read"),
        pytest.param({"read": True}, False, id="read alone does not pull"),
        pytest.param({"push": True, "update": True}, False, id="writing is not seeing"),
    ],
)
def test_flags(sync, flags, comes):
    """Which flags let rows through."""
    body = sync.pull(with_flags(member_of(models=[]), **flags), {}).body
    assert bool(body["data"]) is comes


def test_revoked(sync):
    """The next request after a right is gone is refused, and others go on (S18)."""
    phone = Phone(sync, member_of())
    phone.catch_up()
    phone.member = with_flags(phone.member)
    body = phone.pull()
    assert set(body["metadata"][NAME]) == {"error", "count"}
    assert "error" not in body["metadata"]["myapp.Report"]


def test_leaves_the_cursor(sync):
    """That is told once per cursor: the next one does not concern the model."""
    phone = Phone(sync, member_of())
    phone.catch_up()
    phone.member = with_flags(phone.member)
    phone.pull()
    assert NAME not in phone.pull()["metadata"]


def test_revoked_between_pages(sync):
    """Rows that are still to come do not, once the right is gone."""
    phone = Phone(sync, member_of(models=["Customer", "Report"]), batch=1)
    assert phone.pull()["data"][0]["_model"] == NAME
    phone.member = member_of(models=["Customer"])
    body = phone.pull()
    assert body["data"] == []
    assert "error" in body["metadata"]["myapp.Report"]


def test_given(sync):
    """A new right brings all rows of the model, and of no other (S11)."""
    phone = Phone(sync, member_of(models=["Report"]))
    phone.catch_up()
    phone.member = member_of(models=["Report", "Customer"])
    with pytest.raises(ResyncRequired) as caught:
        sync.pull(phone.member, {"cursor": phone.cursor})
    assert list(caught.value.models) == [NAME]
    assert len(phone.ids()) == 1


def test_given_brings_no_old_changes(sync):
    """What changed before the right was given does not come beside the rows."""
    phone = Phone(sync, member_of(models=["Report"]))
    phone.catch_up()
    sync.session.execute(update(Customer).values(age=5))
    sync.session.execute(insert(Report).values(organization_id=ACME, title="s"))
    sync.session.commit()
    phone.member = member_of(models=["Report", "Customer"])
    before = phone.told
    phone.catch_up()
    assert phone.told == before + 2


def test_given_but_not_asked_for(sync):
    """Who asked for reports is not bothered by a right to customers."""
    member = member_of(models=["Report"])
    cursor = sync.pull(member, {"models": {"myapp.Report": None}}).body["cursor"]
    body = sync.pull(member_of(), {"cursor": cursor}).body
    assert list(body["metadata"]) == ["myapp.Report"]


def test_gone_and_back(sync):
    """A right that was gone for a while loses no change in between."""
    phone = Phone(sync, member_of())
    phone.catch_up()
    phone.member = with_flags(member_of())
    phone.pull()
    sync.session.execute(insert(Customer).values(organization_id=ACME, name="Bob"))
    sync.session.commit()
    phone.member = with_flags(member_of(), **READING._asdict())
    assert len(phone.ids()) == 2


def test_cursor_of_others(sync):
    """A cursor of another organisation is refused, as if it were none."""
    cursor = sync.pull(member_of(RETAIL), {}).body["cursor"]
    with pytest.raises(MalformedRequest) as foreign:
        sync.pull(member_of(ACME), {"cursor": cursor})
    with pytest.raises(MalformedRequest) as nonsense:
        sync.pull(member_of(ACME), {"cursor": "nonsense"})
    assert str(foreign.value) == str(nonsense.value)


def test_nothing_at_all(sync):
    """Without any right there is an empty answer, and a cursor to ask again."""
    phone = Phone(sync, member_of(models=[]))
    assert phone.catch_up() == {}
    phone.member = member_of()
    assert len(phone.ids()) == 1


def test_denied_is_logged(sync):
    """That somebody was denied a model is in the log."""
    sync.pull(member_of(models=[]), {"models": {NAME: None}})
    (only,) = sync.session.scalars(select(SyncLog)).all()
    assert (only.status, only.failed, only.models) == ("partial_success", 1, [NAME])
