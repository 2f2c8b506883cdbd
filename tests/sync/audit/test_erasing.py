"""Personal data is erased on request, and the chain still verifies."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from libres.modules.errors import Misuse
from libres.sync.audit import ERASED
from libres.sync.errors import ResyncRequired, UnknownEntity
from libres.sync.keyring import configure
from libres.sync.models import AuditErasure, SyncApplied, SyncOrganization
from tests.sync.audit.conftest import OWNER
from tests.sync.models import Customer, Seat
from tests.sync.pulls import ACME, Phone, member_of

MODEL = "myapp.Customer"
OTHERS = "SELECT count(*) FROM sync_changes WHERE sync_changes::text LIKE :wanted"


@pytest.fixture
def ada(session, customer):
    """The id of a customer who came, was changed, and has gone; Bob remains."""
    made = customer("Ada Lovelace", age=36, department="Engines")
    key = made.id
    made.name = "Ada King"
    session.commit()
    session.delete(made)
    session.commit()
    customer("Bob Lovelace")
    return key


@pytest.fixture
def erase(trail, session):
    """Erases on request of Carol, and commits."""

    def run(*asked, reason="request 7", **more):
        with trail.acting("carol"):
            found = trail.erase(*asked, reason=reason, **more)
            session.commit()
        return found

    return run


def contains(session, wanted):
    """Tell in how many numbered changes there is a text, wherever it is."""
    found = session.scalar(text(OTHERS), {"wanted": f"%{wanted}%"})
    session.commit()
    return found


def test_nowhere(trail, session, ada, erase):
    """A value is nowhere any more in what was noted; nothing else is missing."""
    trail.history()
    assert contains(session, "Ada") == 3
    found = erase(MODEL, ada, ["name"])
    assert (found.changes, found.fields) == (3, ("name",))
    assert contains(session, "Ada") == 0
    assert contains(session, "Engines") == 3
    assert contains(session, "Bob Lovelace") == 1
    verdict = trail.verify()
    assert (verdict.is_good, verdict.erased) == (True, 3)


def test_all_fields(trail, session, ada, erase):
    """Without fields all of them go."""
    found = erase(Customer, ada)
    assert {"name", "age", "department", "id"} <= set(found.fields)
    assert contains(session, "Engines") == contains(session, "Ada") == 0
    assert trail.verify().is_good


def test_cannot_be_guessed(session, ada, erase):
    """The salts are gone: who guesses the value cannot see that it is right."""
    erase(MODEL, ada, ["name"])
    query = """\
        SELECT array_agg(salt IS NULL ORDER BY number) FILTER (WHERE field = 'name'),
            count(*) FILTER (WHERE salt IS NULL AND field <> 'name')
        FROM sync_changes, jsonb_object_keys(
            coalesce(before, '{}') || coalesce(after, '{}')
        ) WITH ORDINALITY AS fields (field, number)
        JOIN unnest(salts) WITH ORDINALITY AS salts (salt, place) ON place = number
        WHERE key = :key"""
    assert session.execute(text(query), {"key": str(ada)}).one() == ([True] * 3, 0)


def test_history(trail, ada, erase):
    """The history says that there was something, and who has erased it, and why."""
    erase(MODEL, ada, ["name"])
    changed = trail.history(MODEL, ada, action="update")[0]
    (change,) = changed.changes
    assert (change.field, change.before, change.after) == ("name", ERASED, ERASED)
    (noted,) = trail.history(AuditErasure)
    assert (noted.actor, noted.after["actor"]) == ("carol", "carol")
    assert noted.after["reason"] == "request 7"
    assert noted.after["fields"] == ["name"]
    assert noted.after["count"] == 3


def test_twice(trail, ada, erase):
    """What is erased is not erased again, and more of it can be."""
    assert erase(MODEL, ada, ["name"]).changes == 3
    assert erase(MODEL, ada, ["name"]).changes == 0
    assert erase(MODEL, ada, ["name", "age"]).changes == 3
    assert len(trail.history(AuditErasure)) == 2
    assert trail.verify().is_good


def test_later_changes(trail, session, customer, erase):
    """What changes afterwards is noted as ever."""
    made = customer("Ada")
    key = made.id
    session.commit()
    erase(MODEL, key, ["name"])
    made.name = "Ann"
    session.commit()
    assert contains(session, "Ann") == 0
    (change,) = trail.history(MODEL, key, action="update")[0].changes
    assert (change.before, change.after) == ("Ada", "Ann")
    assert trail.verify().is_good


def test_not_committed(trail, session, customer):
    """What is not committed has no number yet: it is refused, and not half erased."""
    made = customer("Ada")
    made.name = "Ann"
    session.flush()
    with pytest.raises(Misuse, match="Commit"):
        trail.erase(MODEL, made.id, reason="request 7")


def test_number_comes_too_late(context, trail, session, customer):
    """Who has looked before it had a number begins anew, and does so by themselves."""
    customer("Ada")
    tries = []

    def act():
        (made,) = session.query(Customer)
        tries.append(made.id)
        return trail.erase(MODEL, made.id, ["name"], reason="request 7")

    assert context.transaction(act).changes == 1
    assert len(tries) == 2


def test_rolled_back(trail, session, ada):
    """An erasure that is rolled back was none."""
    trail.erase(MODEL, ada, reason="request 7")
    session.rollback()
    assert contains(session, "Ada") == 3
    assert trail.verify().erased == 0


def test_nothing_noted(trail, erase):
    """Of a row that was never noted nothing is erased, and nothing is said."""
    assert erase(MODEL, 4711).changes == 0
    assert trail.history(AuditErasure) == []


def test_key_of_several(trail, session, erase):
    """Keys of several columns are given as a tuple."""
    seat = Seat(row=1, place="a", organization_id=OWNER, holder="Ada")
    session.add(seat)
    session.commit()
    assert erase(Seat, (1, "a"), ["holder"]).changes == 1
    assert contains(session, "Ada") == 0
    assert trail.verify().is_good


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_without_reason(trail, ada, reason):
    """Nothing is erased without saying why."""
    with pytest.raises(Misuse, match="why"):
        trail.erase(MODEL, ada, reason=reason)


@pytest.mark.parametrize("fields", [["nickname"], [], "name", ["name", "x'); --"]])
def test_unknown_fields(trail, ada, fields):
    """Fields that there are not are refused."""
    with pytest.raises(Misuse):
        trail.erase(MODEL, ada, fields, reason="request 7")


def test_unknown_model(trail):
    """A model that is none is refused."""
    with pytest.raises(UnknownEntity):
        trail.erase("nothing", 1, reason="request 7")


def test_erasures_stay(trail, session, ada, erase):
    """What was erased, and why, is not erased, by Python or SQL."""
    erase(MODEL, ada, ["name"])
    with pytest.raises(Misuse, match="stays"):
        trail.erase(AuditErasure, 1, reason="request 7")
    call = "SELECT audit_erase('test', 'audit_erasures', '1', '{reason}', 'request 7')"
    with pytest.raises(IntegrityError, match="stays"):
        session.execute(text(call))


def test_function_needs_a_reason(session):
    """The function itself asks for a reason as well."""
    call = "SELECT audit_erase('test', 'customers', '1', '{name}', ' ')"
    with pytest.raises(DBAPIError, match="Say why"):
        session.execute(text(call))


def test_signatures_hold(context, trail, ada, erase):
    """What was signed before an erasure is still what was signed."""
    configure(context, {"one": "s" * 40})
    place = trail.anchor()
    erase(MODEL, ada)
    verdict = trail.verify()
    assert (verdict.is_good, verdict.anchored) == (True, place)


def test_answers(session, context, ada, erase):
    """Answers to pushes that are kept do not show the row any more; others stay."""
    owner = SyncOrganization(context=context.name, name="Acme", slug="a", reference="a")
    session.add(owner)
    session.flush()
    row = {"_model": MODEL, "id": ada, "name": "Ada"}
    other = {"_model": MODEL, "id": ada + 1, "name": "Bob"}
    results = [
        {"status": "conflict", "error": {"type": "conflict", "row": row}},
        {"status": "unchanged", "row": row},
        {"status": "unchanged", "row": other},
    ]
    for number, result in enumerate(results):
        named = {"organization": owner.id, "device": "user:1", "op_id": str(number)}
        kept = SyncApplied(
            context=context.name, fingerprint="f", result=result, **named
        )
        session.add(kept)
    session.commit()
    erase(MODEL, ada, ["name"])
    session.expire_all()
    kept = session.query(SyncApplied).order_by(SyncApplied.op_id)
    assert [each.result for each in kept] == [
        {"status": "conflict", "error": {"type": "conflict"}},
        {"status": "unchanged"},
        {"status": "unchanged", "row": other},
    ]


def test_devices(context, trail, sync, session, customer, erase):
    """Who is behind gets all rows anew, as they are, and who is not notices nothing."""
    configure(context, {"one": "s" * 40})
    late, quick = (Phone(sync, member_of()) for _each in range(2))
    late.catch_up()
    made = customer("Ada", organization=ACME, department="Engines")
    key = made.id
    session.commit()
    quick.catch_up()
    erase(MODEL, key, ["name"])
    assert quick.pull()["data"] == []
    with pytest.raises(ResyncRequired):
        sync.pull(late.member, {"cursor": late.cursor})
    (row,) = late.catch_up().values()
    assert row["name"] == "Ada"
    assert trail.verify().is_good
