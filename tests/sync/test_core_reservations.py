"""Reservations that are pushed are decided by the scheduler, for their organisation."""

from __future__ import annotations

from functools import partial

import pytest

from libres.context.registry import create_default_registry
from libres.db.models import Reservation
from libres.modules import events
from libres.sync import Sync
from libres.sync.core_models import ALLOCATION, RESERVATION
from libres.sync.filters import Filter
from libres.sync.handlers import NOT_FOUND, Done
from libres.sync.values import Flags
from tests.fixtures.races import race_threads
from tests.fixtures.statements import counted
from tests.sync.rooms import NO_UPDATE, Desk, at, iso, member, organization, pending

ROOM, ADA = "Room 201", "ada@example.org"


@pytest.fixture(autouse=True)
def today(clock):
    """It is the day before."""
    clock.now = at("12:00", -1)


@pytest.fixture
def acme(sync):
    """An organisation."""
    return organization(sync.session, "acme-corp")


@pytest.fixture
def retail(sync):
    """Another one."""
    return organization(sync.session, "global-retail")


@pytest.fixture
def room(sync, acme, context):
    """A room that is open on Monday from 9 to 17, in steps of 15 minutes."""
    made = sync.resources.add(acme, ROOM, "Europe/Zurich").scheduler(context)
    made.allocate((at("9:00"), at("17:00")), partly_available=True, raster=15)
    return made


@pytest.fixture
def office(sync, acme, context):
    """A room whose hours somebody has to approve by hand."""
    made = sync.resources.add(acme, "Office", "Europe/Zurich").scheduler(context)
    made.allocate(
        (at("9:00"), at("17:00")), partly_available=True, approve_manually=True
    )
    return made


@pytest.fixture
def john(acme, room):
    """Pushes as a manager of the organisation that has the room."""
    return Desk(room.context, member(acme))


@pytest.fixture
def kiosk(acme, room):
    """Pushes with all rights but that to update."""
    return Desk(room.context, member(acme, "kiosk", Reservation=NO_UPDATE))


@pytest.fixture
def mary(retail, context):
    """Pushes for another organisation."""
    return Desk(context, member(retail, "mary_sales"))


@pytest.fixture
def heard():
    """What the scheduler tells its listeners."""
    lists = {
        "made": events.on_reservations_made,
        "approved": events.on_reservations_approved,
        "denied": events.on_reservations_denied,
        "removed": events.on_reservations_removed,
    }
    before = {name: list(each) for name, each in lists.items()}
    told = []
    for name, each in lists.items():
        each.append(lambda *_args, _name=name: told.append(_name))
    yield told
    for name, each in lists.items():
        each[:] = before[name]


# Creating -----------------------------------------------------------------------------


def test_reserved_and_approved(john, heard):
    """Who may update has it approved at once; the host hears of both."""
    outcome = john.reserve("10:00", "11:00", email=ADA, data={"for": "x"})
    (row,) = john.rows()
    assert isinstance(outcome, Done)
    assert (outcome.did, outcome.key) == ("created", (row.id,))
    assert outcome.facts["decided"] == {
        "token": str(row.token),
        "status": "approved",
    }
    assert (row.email, row.quota, row.data) == (ADA, 1, {"for": "x"})
    assert row.display_end() == at("11:00")
    assert heard == ["made", "approved"]


def test_version_is_that_of_the_last_change(john):
    """The version that is answered is that of the row as it is now."""
    outcome = john.reserve("10:00", "11:00")
    *_, last = pending(john.session)
    assert outcome.version == last.seq


def test_address_of_the_member(john):
    """Without an e-mail it is that of who pushes."""
    john.reserve("10:00", "11:00")
    assert [each.email for each in john.rows()] == ["john_manager@example.org"]


def test_pending_without_the_right(kiosk):
    """Who may not update leaves it pending."""
    outcome = kiosk.reserve("10:00", "11:00")
    assert outcome.facts["decided"]["status"] == "pending"
    assert [each.status for each in kiosk.rows()] == ["pending"]


def test_pending_if_wished(john):
    """Who may have it approved can leave it pending."""
    outcome = john.reserve("10:00", "11:00", status="pending")
    assert outcome.facts["decided"]["status"] == "pending"


@pytest.mark.usefixtures("office")
def test_pending_if_approved_by_hand(john):
    """What is approved by hand stays pending, whoever pushes."""
    outcome = john.reserve("10:00", "11:00", room="Office")
    assert outcome.facts["decided"]["status"] == "pending"


@pytest.mark.usefixtures("office")
def test_not_approved_by_force(john):
    """Who insists on having it approved is refused, and nothing remains."""
    outcome = john.reserve("10:00", "11:00", room="Office", status="approved")
    assert (outcome.type, outcome.field) == ("forbidden", "status")
    assert john.rows() == []


def test_group(sync, acme, context, john):
    """A group is reserved as a whole."""
    course = sync.resources.add(acme, "Course", "UTC").scheduler(context)
    dates = [(at("9:00", day), at("11:00", day)) for day in (1, 2)]
    group = course.allocate(dates, grouped=True)[0].group
    outcome = john.push("create", resource="Course", group=str(group))
    (row,) = john.rows()
    assert outcome.key == (row.id,)
    assert (row.target_type, row.status) == ("group", "approved")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        pytest.param({"end": "9:00", "start": "8:00"}, None, id="nothing allocated"),
        pytest.param({"start": "16:00", "end": "18:00"}, "end", id="beyond it"),
        pytest.param({"start": "10:00", "end": "10:00"}, "end", id="no time"),
        pytest.param({"start": "10:00"}, "end", id="no end"),
        pytest.param({"end": "11:00"}, "start", id="no start"),
        pytest.param({}, None, id="neither times nor a group"),
        pytest.param(
            {"start": "10:00", "end": "11:00", "quota": 0}, "quota", id="none"
        ),
        pytest.param(
            {"start": "10:00", "end": "11:00", "email": "x"}, "email", id="address"
        ),
    ],
)
def test_refused(john, sent, field):
    """What the scheduler refuses is invalid, and says why; nothing is written."""
    wire = {k: iso(v) if k in {"start", "end"} else v for k, v in sent.items()}
    outcome = john.push("create", resource=ROOM, **wire)
    assert (outcome.type, outcome.field) == ("invalid", field)
    assert outcome.message
    assert john.rows() == []


def test_id_of_the_client(john):
    """Ids are drawn by the database: one that a client has drawn is nobody's."""
    outcome = john.push("create", 77, resource=ROOM)
    assert outcome == NOT_FOUND


# Taken --------------------------------------------------------------------------------


def test_taken(sync, acme, context, john, kiosk):
    """S24: a conflict from the scheduler, no row, and what is free instead."""
    other = sync.resources.add(acme, "Room 202", "UTC").scheduler(context)
    other.allocate((at("10:00"), at("11:00")))
    john.reserve("10:00", "11:00")
    outcome = kiosk.reserve("10:00", "11:00")
    assert outcome.type == "conflict"
    assert "Not enough free places" in outcome.message
    assert len(kiosk.rows()) == 1
    found = outcome.facts["alternatives"]
    assert found[-1] == {
        "resource": "Room 202",
        "start": iso("10:00"),
        "end": iso("11:00"),
        "places_left": 1,
        "approve_manually": False,
    }
    here = [each["start"] for each in found if each["resource"] == ROOM]
    assert iso("9:00") in here
    assert iso("11:00") in here
    assert iso("10:15") not in here


def test_alternatives_can_be_had(john, kiosk):
    """The first alternative is pushed as it is, and stored."""
    john.reserve("10:00", "11:00")
    first = kiosk.reserve("10:00", "11:00").facts["alternatives"][0]
    wanted = {name: first[name] for name in ("resource", "start", "end")}
    assert isinstance(kiosk.push("create", **wanted), Done)


def test_nothing_of_others_is_offered(sync, retail, context, john, kiosk):
    """What is free of another organisation is not told."""
    shop = sync.resources.add(retail, "Shop", "UTC").scheduler(context)
    shop.allocate((at("10:00"), at("11:00")))
    john.reserve("10:00", "11:00")
    found = kiosk.reserve("10:00", "11:00").facts["alternatives"]
    assert {each["resource"] for each in found} == {ROOM}


def test_update_to_a_taken_time(john):
    """Moving to a taken time is a conflict as well; the old one stands."""
    john.reserve("10:00", "11:00")
    john.reserve("12:00", "13:00")
    _, second = john.rows()
    id_ = second.id
    outcome = john.push("update", id_, start=iso("10:30"), end=iso("11:30"))
    assert outcome.type == "conflict"
    assert outcome.facts["alternatives"]
    assert john.rows()[1].display_start() == at("12:00")
    assert john.rows()[1].id == id_


def pushed_alone(dsn, who):
    """Push the same slot in a context of one's own, in a transaction."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", dsn)
    Sync(context).register_core()
    desk = Desk(context, who)
    try:
        return context.transaction(lambda: desk.reserve("10:00", "11:00"), attempts=50)
    finally:
        context.get_service("session_provider").stop_service()


def test_race(john, dsn):
    """Of those who push the same slot at once one has it; others hear what is free."""
    john.session.commit()
    outcomes = race_threads([partial(pushed_alone, dsn, john.who)] * 4)
    assert [each.error for each in outcomes] == [None] * 4
    answers = [each.value for each in outcomes]
    refused = [each for each in answers if not isinstance(each, Done)]
    assert [each.type for each in refused] == ["conflict"] * 3
    assert all(each.facts["alternatives"] for each in refused)
    assert len(john.rows()) == 1


# Changing -----------------------------------------------------------------------------


def test_moved(john):
    """Time and places change by the scheduler; id and token stay."""
    john.reserve("10:00", "11:00")
    (row,) = john.rows()
    id_, token = row.id, row.token
    outcome = john.push("update", id_, start=iso("12:00"), end=iso("13:30"))
    (row,) = john.rows()
    assert (outcome.did, outcome.key) == ("updated", (id_,))
    assert (row.id, row.token, row.status) == (id_, token, "approved")
    assert (row.display_start(), row.display_end()) == (at("12:00"), at("13:30"))
    assert outcome.version == pending(john.session)[-1].seq


def test_only_the_end(john):
    """What is not sent stays as it is."""
    john.reserve("10:00", "11:00", data={"a": 1})
    (row,) = john.rows()
    john.push("update", row.id, end=iso("12:00"))
    (row,) = john.rows()
    assert (row.display_start(), row.display_end()) == (at("10:00"), at("12:00"))
    assert row.data == {"a": 1}


def test_words(john):
    """E-mail and data change without the time."""
    john.reserve("10:00", "11:00")
    (row,) = john.rows()
    john.push("update", row.id, email=f" {ADA}", data={"b": 2})
    (row,) = john.rows()
    assert (row.email, row.data) == (ADA, {"b": 2})


def test_times_and_words(john):
    """All of it may change at once."""
    john.reserve("10:00", "11:00")
    (row,) = john.rows()
    john.push("update", row.id, end=iso("12:00"), email=ADA, data={"b": 2})
    (row,) = john.rows()
    assert (row.display_end(), row.email, row.data) == (at("12:00"), ADA, {"b": 2})


def test_nothing_changes(john):
    """What is as it is already is written by nothing; its version is the old one."""
    first = john.reserve("10:00", "11:00", data={"a": 1})
    (row,) = john.rows()
    known = len(pending(john.session))
    same = {"start": iso("10:00"), "end": iso("11:00"), "quota": 1, "data": {"a": 1}}
    again = john.push(
        "update",
        row.id,
        resource=ROOM,
        group=str(row.target),
        status="approved",
        email=row.email,
        **same,
    )
    assert (again.did, again.version) == ("updated", first.version)
    assert len(pending(john.session)) == known


def test_approved_later(john, kiosk, heard):
    """Who may update approves what is pending, as at a desk."""
    kiosk.reserve("10:00", "11:00")
    (row,) = john.rows()
    outcome = john.push("update", row.id, status="approved")
    assert outcome.facts["decided"]["status"] == "approved"
    assert heard == ["made", "approved"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        pytest.param({"resource": "Office"}, "resource", id="another room"),
        pytest.param(
            {"group": "00000000-0000-0000-0000-000000000001"}, "group", id="group"
        ),
        pytest.param({"status": "pending"}, "status", id="taken back"),
        pytest.param({"quota": 0}, "quota", id="no place"),
        pytest.param({"email": "nobody"}, "email", id="no address"),
        pytest.param({"end": iso("9:30")}, "end", id="before its start"),
        pytest.param({"start": None}, "start", id="no time"),
    ],
)
def test_not_changed(john, sent, field):
    """What cannot be changed is invalid, and all stays as it was."""
    john.reserve("10:00", "11:00")
    (row,) = john.rows()
    known = len(pending(john.session))
    outcome = john.push("update", row.id, **sent)
    assert (outcome.type, outcome.field) == ("invalid", field)
    assert len(pending(john.session)) == known


def test_given_by_hand_is_not_moved(john, office):
    """What somebody has approved by hand is not moved by others."""
    token = office.reserve(ADA, (at("10:00"), at("11:00")))
    office.approve_reservations(token)
    (row,) = john.rows()
    outcome = john.push("update", row.id, end=iso("12:00"))
    assert outcome.type == "forbidden"


def test_class_of_the_host_stays(john, room):
    """A reservation of a class of the host stays one when it is moved."""
    room.reservation_cls = Special
    room.book(ADA, (at("10:00"), at("11:00")))
    (row,) = john.rows()
    john.push("update", row.id, end=iso("12:00"))
    assert [type(each) for each in john.rows()] == [Special]


class Special(Reservation):
    """A class of a host."""

    __mapper_args__ = {"polymorphic_identity": "special-of-sync"}  # noqa: RUF012


def test_stale(john):
    """Who has not seen the last change is told of the row as it is."""
    first = john.reserve("10:00", "11:00")
    (id_,) = first.key
    second = john.push("update", id_, end=iso("12:00"))
    outcome = john.push("update", id_, version=first.version, end=iso("13:00"))
    assert outcome.type == "conflict"
    assert outcome.facts["_version"] == second.version
    row = outcome.facts["row"]
    assert (row["_model"], row["id"], row["end"]) == (
        "libres.Reservation",
        id_,
        iso("12:00"),
    )
    assert row["_version"] == second.version
    assert isinstance(
        john.push("update", id_, version=second.version, end=iso("13:00")), Done
    )


def test_version_of_nowhere(john):
    """A version that the row has never had is not its last one, either."""
    first = john.reserve("10:00", "11:00")
    (id_,) = first.key
    outcome = john.push("update", id_, version=first.version + 9, end=iso("13:00"))
    assert outcome.type == "conflict"


def test_stale_for_who_may_not_read(acme, context, john):
    """Who may not read the rows is not told of them by a conflict."""
    blind = Desk(
        context, member(acme, Reservation=Flags(push=True, update=True, delete=True))
    )
    first = john.reserve("10:00", "11:00")
    (id_,) = first.key
    john.push("update", id_, end=iso("12:00"))
    outcome = blind.push("update", id_, version=first.version, end=iso("13:00"))
    assert set(outcome.facts) == {"_version"}


# Deleting -----------------------------------------------------------------------------


def test_denied(john, kiosk, heard):
    """What is pending is denied."""
    kiosk.reserve("10:00", "11:00")
    (row,) = john.rows()
    outcome = john.push("delete", row.id)
    assert outcome.did == "deleted"
    assert john.rows() == []
    assert heard == ["made", "denied"]
    assert outcome.version == pending(john.session)[-1].seq


def test_given_back(john, heard):
    """What is approved is removed, and its time is free."""
    john.reserve("10:00", "11:00")
    (row,) = john.rows()
    john.push("delete", row.id)
    assert heard == ["made", "approved", "removed"]
    assert isinstance(john.reserve("10:00", "11:00"), Done)


@pytest.mark.parametrize("status", ["pending", "approved"])
def test_others_of_the_token_stay(john, room, status):
    """What was reserved together with it stays."""
    hours = [(at("10:00"), at("11:00")), (at("12:00"), at("13:00"))]
    token = room.reserve(ADA, hours)
    if status == "approved":
        room.approve_reservations(token)
    first, second = [each.id for each in john.rows()]
    john.push("delete", first)
    assert [each.id for each in john.rows()] == [second]


# Others -------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["update", "delete"])
def test_of_others(john, mary, op):
    """A reservation of another organisation is answered like one that is missing."""
    john.reserve("10:00", "11:00")
    (row,) = john.rows()
    known = len(pending(john.session))
    sent = {"email": ADA} if op == "update" else {}
    assert mary.push(op, row.id, **sent) == NOT_FOUND
    assert mary.push(op, row.id + 1000, **sent) == NOT_FOUND
    assert len(pending(john.session)) == known


def test_resource_of_others(mary, john):
    """A resource of others is answered like one that is missing."""
    foreign, missing = mary.reserve("10:00", "11:00"), mary.reserve("9:00", "9:30", "x")
    assert foreign == missing
    assert (foreign.type, foreign.field) == ("invalid", "resource")
    assert john.rows() == []


def test_resource_of_nobody(john, scheduler_factory):
    """What belongs to no organisation is reached by none."""
    attic = scheduler_factory("Attic")
    attic.allocate((at("9:00"), at("17:00")), partly_available=True)
    attic.book(ADA, (at("10:00"), at("11:00")))
    (row,) = john.rows()
    assert john.push("delete", row.id) == NOT_FOUND
    assert john.reserve("12:00", "13:00", "Attic").field == "resource"


def test_in_a_cart(john, room):
    """What lies in the cart of somebody is not there."""
    room.reserve(ADA, (at("10:00"), at("11:00")), session_id=john.who.organization.id)
    (row,) = john.rows()
    assert john.push("update", row.id, email="eve@example.org") == NOT_FOUND


# Filters ------------------------------------------------------------------------------


@pytest.fixture
def own(sync, acme, room):
    """Pushes for somebody who sees their own reservations only, and the room."""
    reservations, allocations = map(sync.registry.named, (RESERVATION, ALLOCATION))
    email = {"field": "email", "op": "eq", "value": "{{user.email}}"}
    resource = {"field": "resource", "op": "eq", "value": ROOM}
    filters = {
        RESERVATION: Filter.of(reservations, [email]),
        ALLOCATION: Filter.of(allocations, [resource]),
    }
    return Desk(room.context, member(acme, "bob", filters))


def test_hidden_by_a_filter(own, john):
    """What a filter hides is not there."""
    john.reserve("10:00", "11:00")
    (row,) = john.rows()
    assert own.push("delete", row.id) == NOT_FOUND
    assert own.push("update", row.id, end=iso("12:00")) == NOT_FOUND


def test_own(own):
    """What a filter shows can be made and changed."""
    (id_,) = own.reserve("10:00", "11:00").key
    assert isinstance(own.push("update", id_, end=iso("12:00")), Done)


@pytest.mark.parametrize("op", ["create", "update"])
def test_out_of_sight(own, op):
    """Nothing is made that oneself would not see, nor changed so."""
    if op == "create":
        outcome = own.reserve("10:00", "11:00", email=ADA)
        assert own.rows() == []
    else:
        (id_,) = own.reserve("10:00", "11:00").key
        outcome = own.push("update", id_, email=ADA)
        assert [each.email for each in own.rows()] == ["bob@example.org"]
    assert outcome.type == "forbidden"


def test_alternatives_in_sight(sync, acme, context, own, john):
    """Alternatives lie on what a filter shows."""
    other = sync.resources.add(acme, "Room 202", "UTC").scheduler(context)
    other.allocate((at("10:00"), at("11:00")))
    john.reserve("10:00", "11:00")
    found = own.reserve("10:00", "11:00").facts["alternatives"]
    assert {each["resource"] for each in found} == {ROOM}


def test_reserved_together(own, room):
    """What belongs to others of a token is not changed through one's own."""
    hours = [(at("10:00"), at("11:00")), (at("12:00"), at("13:00"))]
    room.reserve("bob@example.org", hours)
    first, second = own.rows()
    second.email = ADA
    own.session.flush()
    outcome = own.push("update", first.id, data={"x": 1})
    assert outcome.type == "forbidden"
    assert [each.data for each in own.rows()] == [{}, {}]


# Cost ---------------------------------------------------------------------------------


def test_who_did_it(sync, john):
    """The feed names who pushed, and the organisation."""
    with sync.acting("john_manager", request="r1"):
        john.reserve("10:00", "11:00")
    noted = pending(john.session)
    assert {(each.actor, each.request) for each in noted} == {("john_manager", "r1")}
    assert {each.tenant for each in noted} == {"acme-corp"}


@pytest.mark.parametrize("many", [1, 40])
def test_statements(sync, acme, context, john, many):
    """What it costs does not depend on how much there is."""
    for number in range(many):
        other = sync.resources.add(acme, f"Other {number}", "UTC").scheduler(context)
        other.allocate((at("9:00"), at("17:00")), partly_available=True)
        other.book(ADA, (at("9:00"), at("10:00")))
    john.reserve("10:00", "11:00")
    with counted(john.session) as created:
        john.reserve("12:00", "13:00")
    with counted(john.session) as refused:
        john.reserve("10:00", "11:00")
    assert (len(created), len(refused)) == (14, 10)
