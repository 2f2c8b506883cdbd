"""Who gets which page of the configuration: one line per address and verb.

A route without a line fails the test, as does a line without a route.
"""

from __future__ import annotations

import re

import pytest

KINDS = (None, "nobody", "auditor", "admin", "other", "staff")
"""Who comes: somebody who has not signed in, a user without any seat, an auditor, an
administrator, an administrator of another organisation, the staff of the platform."""

NOBODY = "00000000-0000-4000-8000-000000000000"
"""An id that stands for nothing."""

IN = "let in"
"""Whatever the view makes of an empty form, but no refusal."""

# Pages:
PUBLIC = (IN, IN, IN, IN, IN, IN)
SEEN = (303, 403, IN, IN, IN, IN)
SEEN_THERE = (303, 403, IN, IN, 404, IN)
SEEN_BY_STAFF = (303, 403, 403, 403, 403, IN)

# Forms, and what scripts send:
SENT = (401, 403, IN, IN, IN, IN)
CHANGED = (401, 403, 403, IN, 404, IN)
CHANGED_BY_STAFF = (401, 403, 403, 403, 403, IN)
CHANGED_BY_STAFF_THERE = (401, 403, 403, 403, 404, IN)

ASKED = (frozenset({401, 429}),) * 6
"""Everybody is asked for a password, and an empty one is wrong."""

ROUTES = {
    "GET dashboard.dashboard": SEEN,
    "GET signin.sign_in": PUBLIC,
    "POST signin.signed_in": ASKED,
    "POST signin.sign_out": PUBLIC,
    # organisations, members, roles
    "GET organizations.organizations": SEEN,
    "POST organizations.add": CHANGED_BY_STAFF,
    "POST organizations.change": CHANGED_BY_STAFF_THERE,
    "GET members.members": SEEN_THERE,
    "POST members.add": CHANGED,
    "POST members.change": CHANGED,
    "POST members.add_role": CHANGED,
    "POST members.change_role": CHANGED,
    "GET roles.roles": SEEN_BY_STAFF,
    "POST roles.add": CHANGED_BY_STAFF,
    "POST roles.change": CHANGED_BY_STAFF,
    # the audit trail and the logs
    "GET audit.trail": SEEN,
    "GET audit.csv_file": SEEN,
    "GET audit.change": SEEN,
    "GET audit.revert": SEEN,
    "POST audit.reverted": SENT,
    "GET logs.log": SEEN,
    "GET logs.csv_file": SEEN,
    "GET logs.record": SEEN,
    # rights
    "GET permissions.chooser": SEEN,
    "GET permissions.matrix": SEEN_THERE,
    "GET permissions.export": SEEN_THERE,
    "POST permissions.update": CHANGED,
    "POST permissions.bulk_update": CHANGED,
    "POST permissions.save": CHANGED,
    "POST permissions.preview": CHANGED,
    "POST permissions.apply": CHANGED,
    # what is watched
    "GET devices.devices": SEEN,
    "GET devices.devices_csv": SEEN,
    "POST devices.new_key": CHANGED,
    "POST devices.revoke": CHANGED,
    "GET metrics.metrics": SEEN_BY_STAFF,
    "GET metrics.metrics_csv": SEEN_BY_STAFF,
    # models
    "GET models.models": SEEN,
    "POST models.new": CHANGED_BY_STAFF,
    "POST models.switch": CHANGED_BY_STAFF,
    # settings
    "GET settings.settings": SEEN_BY_STAFF,
    "POST settings.change": CHANGED_BY_STAFF,
    # users
    "GET users.users": SEEN_BY_STAFF,
    "POST users.add": CHANGED_BY_STAFF,
    "GET users.user": SEEN_BY_STAFF,
    "POST users.set_active": CHANGED_BY_STAFF,
    "POST users.set_password": CHANGED_BY_STAFF,
    "POST users.end": CHANGED_BY_STAFF,
}

PREFIX = "libres.config."

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def routes(app):
    """The routes of the configuration, by verb and endpoint."""
    return {
        f"{verb} {rule.endpoint.removeprefix(PREFIX)}": rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(PREFIX)
        for verb in VERBS
        if verb in rule.methods
    }


def path_of(rule, office):
    """An address of a route, about the office."""
    known = {"slug": office.slug, "user": office.users["nobody"].id}

    def filled(match):
        other = NOBODY if match[1] == "uuid:" else "1"
        return known.get(match[2], other)

    path = re.sub(r"<([^:>]*:)?(\w+)>", filled, rule.rule)
    return path.removeprefix("/config/")


def tab_of(kind, office, other):
    """The browser of somebody of a kind."""
    return other.tab("admin") if kind == "other" else office.tab(kind)


def test_complete(app):
    """Every route has a line, and every line a route."""
    found = set(routes(app))
    assert found - set(ROUTES) == set()
    assert set(ROUTES) - found == set()


def test_ruled(app):
    """Every view says who may call it: what does not is refused to everybody."""
    views = {rule.endpoint for rule in routes(app).values()}
    told = {each: getattr(app.view_functions[each], "rule", None) for each in views}
    allowed = {"anybody", "visitor", "admin", "staff"}
    assert {each: rule for each, rule in told.items() if rule not in allowed} == {}


def test_administrators_of_something(app):
    """What administrators may call names the organisation in its address."""
    found = {
        name
        for name, rule in routes(app).items()
        if app.view_functions[rule.endpoint].rule == "admin"
        and "slug" not in rule.arguments
    }
    assert found == set()


@pytest.mark.parametrize("name", ROUTES)
def test_rights(app, office, other, name):
    """Each route lets in whom it is for, and refuses all others."""
    rule = routes(app)[name]
    path = path_of(rule, office)
    found = [asked(tab_of(kind, office, other), name, path) for kind in KINDS]
    told = tuple(
        wanted if is_as(answer, wanted) else answer.status_code
        for answer, wanted in zip(found, ROUTES[name], strict=True)
    )
    assert told == ROUTES[name]


def asked(tab, name, path):
    """Ask for a page, or send an empty form; what is streamed is read to its end."""
    answer = tab.open(path) if name.startswith("GET") else tab.send(path)
    answer.get_data()
    return answer


def is_as(answer, wanted):
    """Tell whether an answer is as the line says."""
    if wanted == IN:
        return is_let_in(answer)
    allowed = wanted if isinstance(wanted, frozenset) else {wanted}
    return answer.status_code in allowed


def is_let_in(answer):
    """Tell whether a view was reached, and did not fail."""
    to_sign_in = "/config/sign-in/" in answer.headers.get("Location", "")
    is_own = answer.request.path.endswith("/sign-out/")
    is_refused = answer.status_code in {401, 403} or (to_sign_in and not is_own)
    return answer.status_code < 500 and not is_refused


def test_other_organization(office, other, app):
    """Nobody but staff is let in to anything that names another organisation, not even
    with a right of their own elsewhere."""
    named = {name: r for name, r in routes(app).items() if "slug" in r.arguments}
    assert len(named) > 5
    for kind in ("auditor", "admin"):
        tab = office.tab(kind)
        for name, rule in named.items():
            answer = asked(tab, name, path_of(rule, other))
            assert answer.status_code in {403, 404}, name


@pytest.mark.parametrize("token", [None, "forged"])
def test_token(app, office, token):
    """No form and no script changes anything without the token of a page of ours."""
    tab = office.tab("staff")
    tab.open("")
    for name, rule in routes(app).items():
        verb = name.partition(" ")[0]
        if verb == "GET":
            continue
        path = f"/config/{path_of(rule, office)}"
        headers = {} if token is None else {"X-CSRF-Token": token}
        as_script = tab.http.open(path, method=verb, json={}, headers=headers)
        form = {} if token is None else {"csrf_token": token}
        as_form = tab.http.open(path, method=verb, data=form)
        assert (as_script.status_code, as_form.status_code) == (403, 403), name
        assert "form is not ours" in as_script.json["detail"]


def test_token_in_address(app, office):
    """A token in the address counts for nothing: addresses are told to others."""
    tab = office.tab("staff")
    for name, rule in routes(app).items():
        if not name.startswith("GET"):
            path = f"/config/{path_of(rule, office)}"
            token = {"csrf_token": tab.token}
            found = tab.http.post(path, query_string=token, data={})
            assert found.status_code == 403, name


def test_reading_changes_nothing(app, office):
    """Who only opens pages changes nothing, whatever they ask for in the address."""
    tab = office.tab("staff")
    query = """SELECT (SELECT count(*) FROM sync_pending)
        + (SELECT count(*) FROM sync_changes)"""
    before = office.house.execute(query)
    for name, rule in routes(app).items():
        if name.startswith("GET"):
            path = path_of(rule, office)
            tab.open(path, active="0", was="1", name="x", code="x").get_data()
    assert office.house.execute(query) == before
