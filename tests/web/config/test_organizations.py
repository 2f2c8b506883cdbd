"""The organisations: who sees which, what staff does with them; and global roles."""

from __future__ import annotations

import pytest

from libres.sync.errors import UnknownEntity
from libres.sync.organizations import Organizations
from libres.sync.roles import Roles
from tests.fixtures.statements import counted_on
from tests.web.config.browsing import HOSTILE

LIST = "organizations/"


@pytest.fixture
def every(office):
    """The organisations of the context."""
    return Organizations(office.house.context)


def changing(tab, organization, **form):
    """Send the form of a row as it was shown, with some values changed."""
    shown = {
        "was_name": organization.name,
        "name": organization.name,
        "was": int(organization.active),
        "active": int(organization.active),
    }
    return tab.send(f"{LIST}{organization.slug}/change", **{**shown, **form})


def test_own(admin, auditor, office, other):
    """Everybody sees their own organisations, and nothing of others."""
    for tab in (admin, auditor):
        page = tab.open(LIST).text
        assert office.slug in page
        assert other.slug not in page
        assert "Add an organisation" not in page


def test_all(staff, office, other):
    """Staff sees all of them."""
    page = staff.open(LIST, search="office").text
    assert f">{office.slug}</a>" in page
    assert f">{other.slug}</a>" in page


def test_members_are_counted(auditor):
    """How many belong to it is shown."""
    assert '<td class="number">4</td>' in auditor.open(LIST).text


def test_search(staff, office, other):
    """One finds an organisation by a part of its name or slug, in any case."""
    page = staff.open(LIST, search=f" {office.organization.name.upper()} ").text
    assert f">{office.slug}</a>" in page
    assert f">{other.slug}</a>" not in page
    assert "None is called so." in staff.open(LIST, search="no such thing").text


@pytest.mark.parametrize("first", ["-1", "x", "9" * 30, "1.5", ""])
def test_strange_page(staff, first):
    """A page that is none is the first one, or an empty one, and no error."""
    assert staff.open(LIST, first=first, search="\0<%_'").status_code == 200


def test_pages(staff, office, every):
    """Long lists are shown page by page."""

    def found():
        for number in range(51):
            every.add(f"Branch {number:02}", f"{office.slug}-branch-{number:02}")

    office.house.do(found)
    page = staff.open(LIST, search=f"{office.slug}-branch")
    assert page.text.count(f">{office.slug}-branch-") == 50
    assert "first=50" in page.text
    page = staff.open(LIST, search=f"{office.slug}-branch", first=50)
    assert page.text.count(f">{office.slug}-branch-") == 1
    assert 'rel="prev"' in page.text


def test_add(staff, office, every):
    """Staff adds an organisation, and gets to its members."""
    form = {"name": " Acme Corp ", "slug": f"{office.slug}-acme", "reference": "17"}
    found = staff.send(LIST, **form)
    assert found.status_code == 303
    assert found.headers["Location"] == f"/config/{LIST}{form['slug']}/"
    assert "Added Acme Corp." in staff.open(f"{LIST}{form['slug']}/").text
    made = every.named(form["slug"])
    assert (made.name, made.reference, made.active) == ("Acme Corp", "17", True)


@pytest.mark.parametrize(
    ("form", "status", "told"),
    [
        ({"name": "", "slug": "fine"}, 422, "must not be empty"),
        ({"name": "Fine", "slug": ""}, 422, "letters a to z"),
        ({"name": "Fine", "slug": "a/../b"}, 422, "letters a to z"),
        ({"name": "Fi\0ne", "slug": "fine"}, 422, "printable"),
        ({"name": "\u202eFine", "slug": "fine"}, 422, "printable"),
        ({"name": "x" * 201, "slug": "fine"}, 422, "longer than 200"),
        ({}, 422, "must not be empty"),
    ],
)
def test_wrong(staff, form, status, told):
    """What cannot be is told, and what was typed is still there."""
    found = staff.send(LIST, **form)
    assert found.status_code == status
    assert 'role="alert"' in found.text
    assert told in found.text
    if form.get("name") == "Fine":
        assert 'value="Fine"' in found.text


def test_twice(staff, office):
    """A slug is given once."""
    found = staff.send(LIST, name="Another", slug=office.slug)
    assert found.status_code == 409
    assert "There is one of this name already" in found.text


def test_rename(staff, office, every):
    """Staff gives an organisation another name; its slug remains."""
    assert changing(staff, office.organization, name="Head Office").status_code == 303
    assert every.named(office.slug).name == "Head Office"


def test_refuse(staff, office, every):
    """An organisation that is refused lets no member in, and staff lets it in again."""
    assert changing(staff, office.organization, active=0).status_code == 303
    assert office.tab("admin").open(LIST).status_code == 403
    page = staff.open(f"{LIST}{office.slug}/").text
    assert "none of its members gets in" in page
    assert changing(staff, every.named(office.slug), active=1).status_code == 303
    assert office.tab("admin").open(LIST).status_code == 200


@pytest.mark.parametrize("meanwhile", [{"name": "Faster"}, {"active": 0}])
def test_meanwhile(staff, office, every, meanwhile):
    """What somebody else has changed meanwhile is told, and not overwritten."""
    assert changing(staff, office.organization, **meanwhile).status_code == 303
    now = every.named(office.slug)
    found = changing(staff, office.organization, name="Slower")
    assert found.status_code == 409
    assert "Somebody else was faster" in found.text
    assert every.named(office.slug) == now


def test_gone(staff):
    """What is not there is not found."""
    assert staff.send(f"{LIST}no-such/change").status_code == 404
    assert staff.open(f"{LIST}no-such/").status_code == 404


def test_statements(staff, office, every):
    """However many organisations there are, a page takes as many statements."""
    engine = office.house.context.get_service("session_provider").read_only_engine

    def count():
        with counted_on(engine) as statements:
            assert staff.open(LIST).status_code == 200
        return len(statements)

    staff.open(LIST)
    before = count()
    office.house.do(
        lambda: [every.add(f"A {n}", f"{office.slug}-many-{n}") for n in range(20)]
    )
    assert count() == before == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(staff, office, every, name):
    """A name is text, whatever it is."""
    slug = f"{office.slug}-{HOSTILE.index(name)}"
    office.house.do(lambda: every.add(name, slug))
    for page in (staff.open(LIST, search=slug), staff.open(f"{LIST}{slug}/")):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert '"><img' not in page.text


# Roles of all -------------------------------------------------------------------------


@pytest.fixture
def roles(office):
    """The roles of the context."""
    return Roles(office.house.context)


def test_global_role(staff, office, roles):
    """Staff adds a role that all organisations have, and changes it."""
    code = f"all-{office.slug}"
    found = staff.send("roles/", code=code, name="Clerks", pages="audit")
    assert found.status_code == 303
    role = roles.named(code)
    assert (role.name, role.pages, role.organization) == ("Clerks", "audit", None)
    shown = {"role": role.id, "was_name": "Clerks", "was": "audit"}
    found = staff.send("roles/change", **shown, name="Officials", pages="")
    assert found.status_code == 303
    role = roles.named(code)
    assert (role.name, role.pages) == ("Officials", None)
    found = staff.send("roles/change", **shown, name="Slower", pages="admin")
    assert found.status_code == 409
    assert roles.named(code) == role


def test_not_a_global_role(staff, office, roles):
    """What only one organisation has is not changed as what all have."""
    role = roles.named(office.slug.replace("office", "auditor"), office.organization)
    shown = {"role": role.id, "was_name": role.name, "was": "audit"}
    found = staff.send("roles/change", **shown, name="Mine", pages="")
    assert found.status_code == 404
    with pytest.raises(UnknownEntity):
        roles.named(role.code)


@pytest.mark.parametrize("pages", ["root", "Admin", "admin ", "\0"])
def test_unknown_level(staff, office, pages):
    """There is no other right to pages than those of the list."""
    code = f"strange-{office.slug}"
    found = staff.send("roles/", code=code, name="Strange", pages=pages)
    assert found.status_code == 422
    assert "Choose one of the list" in found.text
