"""The audit trail: what is shown, to whom, and what can be done there."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta

import pytest

from libres.domain.days import UTC
from libres.sync.audit import Audit
from libres.sync.organizations import Organizations
from libres.sync.permissions import Permissions
from libres.sync.roles import Roles
from libres.sync.users import Users
from libres.sync.values import Flags
from libres.web.config.spreadsheet import BOM
from libres.web.directory import Directory, Place
from tests.fixtures.statements import counted_on
from tests.sync.models import Customer

CUSTOMER = "myapp.Customer"
POSITION = re.compile(r'aria-label="Change (\d+)"')


class Shop:
    """An organisation with customers, whose changes are noted."""

    def __init__(self, office):
        self.house = office.house
        self.office = office
        self.audit = Audit(self.house.context)

    def act(self, change, *, by="john", request=None, reason=None):
        """Change something as a user, and commit."""

        def acted():
            with self.audit.acting(by, request=request, reason=reason):
                made = change(self.audit.session)
                self.audit.session.flush()
                return made

        return self.house.do(acted)

    def add(self, *names, **how):
        """Add customers at once, and return their ids."""
        owner = self.office.organization.id

        def added(session):
            made = [Customer(name=each, organization_id=owner) for each in names]
            session.add_all(made)
            session.flush()
            return [each.id for each in made]

        return self.act(added, **how)

    def rename(self, number, name, **how):
        """Give a customer another name."""

        def renamed(session):
            session.get(Customer, number).name = name

        self.act(renamed, **how)

    def last(self):
        """The latest change of a customer of the organisation."""
        reference = self.office.organization.reference
        (found,) = self.audit.history(CUSTOMER, tenants=[reference], limit=1)
        return found


@pytest.fixture
def shop(office):
    """The organisation of the test."""
    return Shop(office)


@pytest.fixture
def others(other):
    """That of others."""
    return Shop(other)


def positions(answer):
    """The changes that a page shows."""
    assert answer.status_code == 200, answer.text
    return [int(each) for each in POSITION.findall(answer.text)]


def table(answer):
    """The rows of a CSV, by the names of the columns."""
    assert answer.status_code == 200, answer.text
    text = answer.get_data(as_text=True).removeprefix(BOM)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def cells(page, side):
    """What the fields of a change were, or are, without what frames it."""
    found = re.findall(rf'<td class="{side}".*?>(.*?)</td>', page.text, re.DOTALL)
    return [re.sub(r"</?span[^>]*>", "", each).strip() for each in found]


# Showing ------------------------------------------------------------------------------


def test_shown(shop, admin):
    """A change is shown with who made it, of which row, and in which fields."""
    (number,) = shop.add("John Doe")
    shop.rename(number, "Jane Doe", by="mary")
    page = admin.open("audit/", model=CUSTOMER)
    (first, second) = positions(page)
    assert first == shop.last().position > second
    row = page.text.split("<tbody>")[1].split("</tr>")[0]
    for told in ("mary", CUSTOMER, "Changed", f">{number}<", "name", "Office"):
        assert told in row


def test_configuration(shop, admin):
    """What is configured is in it as well."""
    context = shop.house.context
    organization = shop.office.organization

    def granted(_session):
        role = Roles(context).add("sales", "Sales", organization)
        Permissions(context).set(organization, role, CUSTOMER, Flags(pull=True))

    shop.act(granted)
    page = admin.open("audit/", model="libres.sync.Permission")
    assert len(positions(page)) == 1


def test_details(shop, admin):
    """A change tells what was before and after, why, and by which request."""
    (number,) = shop.add("John Doe")
    shop.rename(number, "Jane Doe", request="req-1", reason="She is Jane.")
    page = admin.open(f"audit/{shop.last().position}/")
    assert page.status_code == 200
    assert cells(page, "before") == ["J<mark>ohn</mark> Doe"]
    assert cells(page, "after") == ["J<mark>ane</mark> Doe"]
    assert "She is Jane." in page.text
    assert "/config/audit/?request=req-1" in page.text
    assert f"/config/audit/?model=myapp.Customer&amp;id={number}" in page.text


def test_whole_row(shop, admin):
    """Of a change one sees the row as it was then, too."""
    (number,) = shop.add("John Doe")
    shop.rename(number, "Jane")
    then = shop.last().position
    shop.rename(number, "Later")
    text = admin.open(f"audit/{then}/").text
    whole = text.split("The whole row after this change")[1]
    assert "Jane" in whole
    assert "department" in whole
    assert "Later" not in text


def test_together(shop, admin):
    """What was changed in the same transaction is shown with it."""
    shop.add("Ann")
    before = shop.last().position
    shop.add("Bob", "Cid")
    last = shop.last().position
    shop.add("Dan")
    page = admin.open(f"audit/{last}/")
    assert positions(page) == [last - 1]
    assert last - 1 > before


def test_long(shop, admin):
    """Long texts are folded, and whole within."""
    long = "x" * 9_992 + "\u202e"  # which is written out in 8 characters

    def added(session):
        owner = shop.office.organization.id
        session.add(Customer(name="a", department=long, organization_id=owner))

    shop.act(added)
    text = admin.open(f"audit/{shop.last().position}/").text
    assert "10000 characters" in text
    assert "x" * 9_992 + "⟨U+202E⟩" in text


HOSTILE = "<img src=x onerror=alert(1)>"


def test_hostile(shop, admin):
    """Whatever is in the data is text."""
    (number,) = shop.add(HOSTILE, by=HOSTILE, reason=HOSTILE)
    shop.rename(number, "\"'>" + HOSTILE, by=HOSTILE, request=HOSTILE)
    position = shop.last().position
    pages = [
        admin.open("audit/", user=HOSTILE),
        admin.open("audit/", model=HOSTILE, id=HOSTILE, request=HOSTILE),
        admin.open(f"audit/{position}/"),
        admin.open(f"audit/{position - 1}/"),
        admin.open(f"audit/{position}/revert/"),
    ]
    for page in pages:
        assert "&lt;img" in page.text
        assert "<img" not in page.text


def test_deceiving(shop, admin):
    """A user whose name would turn the text around it is shown as they are called."""
    shop.add("Ann", by="nimda\u202e")
    page = admin.open("audit/", model=CUSTOMER)
    assert "nimda⟨U+202E⟩" in page.text
    assert "\u202e" not in page.text


def test_erased(shop, admin):
    """What was erased is marked as erased, not as empty."""
    (number,) = shop.add("John Doe")
    shop.act(
        lambda _session: shop.audit.erase(CUSTOMER, number, ["name"], reason="Asked.")
    )
    page = admin.open("audit/", model=CUSTOMER)
    (position,) = positions(page)
    text = admin.open(f"audit/{position}/").text
    assert "erased on request" in text
    assert "John Doe" not in text
    (row,) = table(admin.open("audit.csv", model=CUSTOMER))
    assert "name: nothing → ERASED" in row["changes"]


def test_standing(shop, staff, admin):
    """It is said up to where the chain is signed; staff is told how to verify it."""
    shop.add("John")
    for tab in (staff, admin):
        assert "Can it be trusted?" in tab.open("audit/").text
    assert "libres sync audit verify" in staff.open("audit/").text
    assert "libres sync audit verify" not in admin.open("audit/").text


def test_signed(shop, admin):
    """Once the chain is signed, it is said up to where."""
    shop.add("John")
    last = shop.audit.anchor()
    assert f"Everything up to change {last} of {last} is signed" in (
        admin.open("audit/").text
    )


# Filters ------------------------------------------------------------------------------


def test_filters(shop, admin):
    """Each filter leaves what it says, and stays in the form."""
    (ann, bob) = shop.add("Ann", "Bob", by="mary", request="req-7")
    shop.rename(ann, "Anna", by="john")
    last = shop.last().position
    found = {
        "model": admin.open("audit/", model=CUSTOMER),
        "id": admin.open("audit/", model=CUSTOMER, id=str(bob)),
        "user": admin.open("audit/", user="mary"),
        "action": admin.open("audit/", model=CUSTOMER, action="update"),
        "request": admin.open("audit/", request="req-7"),
        "organization": admin.open(
            "audit/", model=CUSTOMER, organization=shop.office.slug
        ),
    }
    assert {name: positions(page) for name, page in found.items()} == {
        "model": [last, last - 1, last - 2],
        "id": [last - 1],
        "user": [last - 1, last - 2],
        "action": [last],
        "request": [last - 1, last - 2],
        "organization": [last, last - 1, last - 2],
    }
    assert 'value="req-7"' in found["request"].text
    assert '<option value="update" selected>' in found["action"].text


def test_days(shop, admin):
    """Days are those of UTC, and the last one is still in it."""
    shop.add("Ann")
    entry = shop.last()
    day = entry.at.astimezone(UTC).date()
    next_day = day + timedelta(days=1)
    shown = {
        name: positions(
            admin.open("audit/", model=CUSTOMER, **{name: when.isoformat()})
        )
        for name, when in (("from", day), ("to", day))
    }
    assert shown == {"from": [entry.position], "to": [entry.position]}
    none = admin.open("audit/", model=CUSTOMER, **{"from": next_day.isoformat()})
    assert positions(none) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "yesterday"}, "Write a day"),
        ({"to": "2026-02-30"}, "Write a day"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "It must be after"),
        ({"model": "nothing"}, "no such model"),
        ({"id": "1"}, "Choose the model"),
        ({"action": "truncate"}, "Choose one"),
        ({"user": "a\x00"}, "NUL"),
        ({"user": "a" * 501}, "too many"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_wrong_filters(admin, query, said):
    """What is wrong is told beside its field, and nothing is shown, or sent."""
    page = admin.open("audit/", **query)
    assert page.status_code == 422
    assert said in page.text
    assert "Nothing is shown" in page.text
    assert not POSITION.search(page.text)
    assert admin.open("audit.csv", **query).status_code == 422


def test_odd_ids(shop, admin):
    """An id that no row can have is that of no row."""
    shop.add("Ann")
    for key in ("x", "9" * 30, "[1, 2]", "-1", "²"):
        assert positions(admin.open("audit/", model=CUSTOMER, id=key)) == []


# Paging -------------------------------------------------------------------------------


def test_pages(shop, admin):
    """100 changes are on a page; older ones follow, by the same filters."""
    shop.add(*(f"Customer {number}" for number in range(205)))
    last = shop.last().position
    page, seen = admin.open("audit/", model=CUSTOMER, user="john"), []
    while True:
        seen.append(positions(page))
        older = re.search(r'href="([^"]+)" rel="next"', page.text)
        if older is None:
            break
        assert "user=john" in older[1]
        shop.add("Somebody new")
        page = admin.http.get(older[1].replace("&amp;", "&"))
    assert [len(each) for each in seen] == [100, 100, 5]
    assert [each for page in seen for each in page] == list(range(last, last - 205, -1))
    assert "Newest" in page.text


@pytest.mark.parametrize("word", ["x", "W10", "WyJ4Il0", "Wy0xXQ", "e30"])
@pytest.mark.usefixtures("shop")
def test_wrong_pages(admin, word):
    """A word that no page has said is refused."""
    assert admin.open("audit/", before=word).status_code == 422


# CSV ----------------------------------------------------------------------------------


def test_csv(shop, admin):
    """All changes are in it, not those of a page only, and none is a formula."""
    names = [f"Customer {number}" for number in range(149)]
    shop.add(*names, "=1+1")
    answer = admin.open("audit.csv", model=CUSTOMER)
    rows = table(answer)
    assert len(rows) == 150
    assert list(rows[0])[:6] == ["time", "user", "model", "action", "id", "changes"]
    assert "name: nothing → '=1+1" in rows[0]["changes"]
    assert {row["user"] for row in rows} == {"john"}
    disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename=audit.csv"


def test_csv_filtered(shop, admin):
    """What the filters leave out is left out."""
    (number,) = shop.add("Ann", by="=cmd()")
    shop.rename(number, "Anna")
    (row,) = table(admin.open("audit.csv", model=CUSTOMER, user="=cmd()"))
    assert row["user"] == "'=cmd()"
    assert row["id"] == str(number)


HELD = """\
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle in transaction'
"""


def test_csv_holds_nothing(shop, admin):
    """While it is sent, which may take long, no transaction is open."""
    shop.add(*(f"Customer {number}" for number in range(300)))
    answer = admin.open("audit.csv", model=CUSTOMER)
    chunks = iter(answer.response)
    assert next(chunks)
    with shop.audit.session.get_bind().connect() as another:
        assert another.exec_driver_sql(HELD).scalar() == 0
    assert sum(1 for _ in chunks) >= 1


# Who sees what ------------------------------------------------------------------------


def test_others(shop, others, admin, staff):
    """Others see nothing of an organisation, however they ask; staff sees all."""
    shop.add("Ann")
    others.add("Zoe")
    theirs = others.last().position
    assert positions(admin.open("audit/", model=CUSTOMER)) == [shop.last().position]
    assert "Zoe" not in admin.open("audit.csv").text
    for path in (f"audit/{theirs}/", f"audit/{theirs}/revert/"):
        assert admin.open(path).status_code == 404
        assert staff.open(path).status_code == 200
    assert admin.send(f"audit/{theirs}/revert/").status_code == 404
    assert admin.open("audit/", organization=others.office.slug).status_code == 422


def test_platform(shop, admin, staff):
    """What belongs to no organisation is seen by staff only."""
    shop.act(lambda _session: Users(shop.house.context).add("somebody_new", "x" * 12))
    model = "libres.sync.User"
    assert positions(admin.open("audit/", model=model)) == []
    assert positions(staff.open("audit/", model=model))


@pytest.mark.parametrize("number", [0, 999_999, 2**63 - 1, 2**63, 10**40])
@pytest.mark.usefixtures("shop")
def test_unknown(staff, number):
    """A number that no change has is not found."""
    assert staff.open(f"audit/{number}/").status_code == 404


def test_moved(shop, others, admin, staff):
    """Of a row that went to others one sees that it went, and nothing of what it is
    there; only staff can bring it back."""
    (number,) = shop.add("Ann")

    def moved(session):
        customer = session.get(Customer, number)
        customer.organization_id = others.office.organization.id
        customer.name = "A secret of others"

    shop.act(moved)
    position = others.last().position
    page = admin.open(f"audit/{position}/")
    assert page.status_code == 200
    assert "moved to another organisation" in page.text
    assert "A secret of others" not in page.text + admin.open("audit.csv").text
    there = others.office.tab("admin").open(f"audit/{position}/").text
    assert "came from another organisation" in there
    assert "Ann" not in there
    assert admin.open(f"audit/{position}/revert/").status_code == 403
    assert staff.open(f"audit/{position}/revert/").status_code == 200


# Undoing ------------------------------------------------------------------------------


def test_revert(shop, admin):
    """A change is undone by a new one, which is the visitor's, and says why."""
    (number,) = shop.add("John Doe")
    shop.rename(number, "Jane Doe")
    position = shop.last().position
    assert "Undo it" in admin.open(f"audit/{position}/revert/").text
    done = admin.send(f"audit/{position}/revert/", reason="It was a mistake.")
    assert done.status_code == 303, done.text
    entry = shop.last()
    assert entry.position > position
    assert entry.after["name"] == "John Doe"
    assert entry.actor == shop.office.users["admin"].username
    assert entry.reason == "It was a mistake."
    shown = admin.http.get(done.headers["Location"])
    assert positions(shown)[0] == entry.position
    assert f"Change {position} is undone." in shown.text


def test_revert_reservation(shop, staff, admin):
    """A reservation is undone by the scheduler of its resource, which is known."""
    context = shop.house.context
    name = f"room-{shop.office.slug}"
    place = Place(name, "Room", "Europe/Zurich")
    scheduler = place.scheduler(context)
    span = tuple(datetime(2026, 11, 27, hour, tzinfo=UTC) for hour in (9, 10))

    def reserved(_session):
        Directory(context).put(place)
        scheduler.allocate(span, partly_available=True)
        return scheduler.reserve("john@example.org", span)

    token = shop.act(reserved)
    (entry,) = shop.audit.history("libres.Reservation", limit=1)
    assert admin.open(f"audit/{entry.position}/revert/").status_code == 404
    done = staff.send(f"audit/{entry.position}/revert/")
    assert done.status_code == 303, done.text
    (last,) = shop.audit.history("libres.Reservation", limit=1)
    assert (last.action, last.key) == ("delete", entry.key)
    assert shop.house.do(lambda: scheduler.reservations_by_token(token).all()) == []
    again = staff.send(f"audit/{last.position}/revert/")
    (made,) = shop.audit.history("libres.Reservation", limit=1)
    assert made.key != entry.key
    assert again.headers["Location"].endswith(f"&id={made.key}")


def test_not_revertible(shop, admin):
    """What was changed since is not undone, and it is said why."""
    (number,) = shop.add("John Doe")
    shop.rename(number, "Jane Doe")
    position = shop.last().position
    shop.rename(number, "Jim Doe")
    last = shop.last().position
    answer = admin.send(f"audit/{position}/revert/")
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert shop.last().position == last


def test_no_token(shop, admin):
    """Somebody else's page cannot undo anything."""
    shop.add("John Doe")
    position = shop.last().position
    answer = admin.send(f"audit/{position}/revert/", token=False)
    assert answer.status_code == 403
    assert shop.last().position == position


def test_auditor(shop, auditor):
    """Auditors see everything, and undo nothing."""
    shop.add("John Doe")
    position = shop.last().position
    page = auditor.open(f"audit/{position}/")
    assert page.status_code == 200
    assert "Undo this change" not in page.text
    assert auditor.open(f"audit/{position}/revert/").status_code == 403
    assert auditor.send(f"audit/{position}/revert/").status_code == 403


def test_undo_of_staff(shop, admin, staff):
    """What only staff may do, nobody else undoes."""
    organizations = Organizations(shop.house.context)
    shop.act(lambda _session: organizations.rename(shop.office.slug, "Another name"))
    model = "libres.sync.Organization"
    position, *_ = positions(admin.open("audit/", model=model))
    assert "Undo this change" not in admin.open(f"audit/{position}/").text
    assert admin.send(f"audit/{position}/revert/").status_code == 403
    assert staff.send(f"audit/{position}/revert/").status_code == 303
    name = organizations.named(shop.office.slug).name
    assert name == shop.office.organization.name


# Cost ---------------------------------------------------------------------------------


def cost(shop, tab, path, **query):
    """How many statements a page takes."""
    tab.open(path, **query)
    with counted_on(shop.audit.session.get_bind()) as statements:
        answer = tab.open(path, **query)
    assert answer.status_code == 200
    return len(statements)


def test_cost(shop, admin):
    """A page takes as many statements with 50 changes as with one."""
    shop.add("one")
    query = {"model": CUSTOMER}
    position = shop.last().position
    first = cost(shop, admin, "audit/", **query)
    one = cost(shop, admin, f"audit/{position}/")
    shop.add(*(f"Customer {number}" for number in range(50)))
    assert cost(shop, admin, "audit/", **query) == first
    assert cost(shop, admin, f"audit/{shop.last().position}/") == one
    assert first <= 8
