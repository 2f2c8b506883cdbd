"""Who does not say who they are gets from the rest of the site what is listed here,
and nothing else: each route that is not, refuses them.

What callers with scopes may do is in the tables of the pages, and of the API.
"""

from __future__ import annotations

import re

import pytest

from libres.web import Place
from libres.web.directory import Directory

TIMES = "which times are free is told to everybody, and nothing of whose they are"
SECRET = "the address itself is the secret"
SIGNING_IN = "one signs in by it"
VITAL = "a load balancer has no key; who has none is told no figures"
ASSETS = "every page needs them"
DOCUMENT = "what the API can do is no secret"
NOWHERE = "there is nothing"

PUBLIC = {
    "allocations.get": TIMES,
    "allocations.listed": TIMES,
    "blockers.listed": TIMES,
    "day.day": TIMES,
    "day.rooms": TIMES,
    "docs.asset": ASSETS,
    "docs.shown": DOCUMENT,
    "feeds.calendar": SECRET,
    "feeds.freebusy": SECRET,
    "find.find": TIMES,
    "health.health": VITAL,
    "home.home": TIMES,
    "openapi": DOCUMENT,
    "resources.calendar": TIMES,
    "resources.get": TIMES,
    "resources.listed": TIMES,
    "search.availability": TIMES,
    "search.first": TIMES,
    "search.others": TIMES,
    "search.search": TIMES,
    "signin.sign_in": SIGNING_IN,
    "signin.sign_out": SIGNING_IN,
    "signin.signed_in": SIGNING_IN,
    "static": ASSETS,
    "sync.health": VITAL,
    "sync.nowhere": NOWHERE,
    "sync.refresh": SIGNING_IN,
    "sync.sign_in": SIGNING_IN,
    "timetable.bits": TIMES,
    "timetable.busy": TIMES,
    "timetable.common": TIMES,
    "timetable.free": TIMES,
    "timetable.heatmap": TIMES,
    "timetable.why_not": TIMES,
    "week.first": TIMES,
    "week.scale_css": ASSETS,
    "week.week": TIMES,
    "who.who": TIMES,
}
"""Why everybody may ask for it."""

TIME = {"start": "2026-11-30T08:00:00Z", "end": "2026-11-30T09:00:00Z"}
SPECIFIED = {
    "start_time": TIME["start"],
    "end_time": TIME["end"],
    "resource_id": "hall",
}

BODIES = {
    "allocations.allocate": {"dates": [TIME]},
    "blockers.block": {"dates": [TIME]},
    "blockers.explain": {"reason": "cleaning"},
    "blockers.move": TIME,
    "conflicts.check": SPECIFIED,
    "conflicts.check_batch": {"proposals": [SPECIFIED]},
    "conflicts.claim": SPECIFIED,
    "feeds.make": {"kind": "resource", "name": "hall"},
    "occupancy.calibrate": {"value": 1},
    "reservations.book": {"email": "ada@example.org", "dates": [TIME]},
    "reservations.change": TIME,
    "reservations.reserve": {"email": "ada@example.org", "dates": [TIME]},
    "resources.put": {"title": "The hall", "timezone": "UTC"},
    "timetable.free_subjects": {"windows": [TIME]},
    "waiting.join": TIME,
    "timetable.template": {"hours": []},
}
"""What has to be sent to be asked who one is: what makes no sense is told before."""

QUERIES = {
    "allocations.remove_many": {"from": TIME["start"], "to": TIME["end"]},
    "occupancy.history": {"from": TIME["start"], "to": TIME["end"]},
}

NOTHING = "11111111-1111-4111-8111-111111111111"

FORMS = {"week.given_back": {"token": NOTHING, "id": "1"}}

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")

REFUSED = {401, 403}


@pytest.fixture(scope="module", autouse=True)
def hall(house):
    """A resource."""
    place = Place("hall", "The hall", "UTC")
    house.do(lambda: Directory(house.context).put(place))


def routes(app):
    """All routes but those of the configuration: verb, endpoint, path."""
    for rule in app.url_map.iter_rules():
        name = rule.endpoint.removeprefix("libres.")
        if not name.startswith(("config.", "sync.not_")):
            for verb in VERBS:
                if verb in rule.methods:
                    yield verb, name, re.sub(r"<.*?>", filled, rule.rule)


def filled(match):
    """A value for a part of an address."""
    if match[0].startswith("<int"):
        return "1"
    is_id = "token" in match[0] or "session" in match[0] or "uuid" in match[0]
    return NOTHING if is_id else "hall"


def test_listed(app):
    """What is listed as public is there."""
    assert set(PUBLIC) - {name for _, name, _ in routes(app)} == set()


def test_anonymous(app):
    """Whatever is not listed as public is refused to who does not say who they are."""
    found = {
        (verb, name, path): asked(app, verb, name, path)
        for verb, name, path in routes(app)
        if name not in PUBLIC
    }
    assert {each: told for each, told in found.items() if told not in REFUSED} == {}


def test_public(app):
    """What is listed is not refused, so the list does not grow old."""
    found = {
        (verb, name): asked(app, verb, name, path)
        for verb, name, path in routes(app)
        if name in PUBLIC and not name.startswith("signin.")
    }
    assert {each: told for each, told in found.items() if told in REFUSED} == {}


def asked(app, verb, name, path):
    """Ask as nobody in particular, without cookies; return the status."""
    sent = {"query_string": QUERIES.get(name)}
    if name in FORMS:
        sent["data"] = FORMS[name]
    elif verb in {"POST", "PUT", "PATCH"}:
        sent["json"] = BODIES.get(name, {})
    answer = app.test_client().open(path, method=verb, **sent)
    answer.get_data()
    return answer.status_code


def test_other_verbs_of_sync(app):
    """Of synchronisation, verbs that are not known are told so, and do nothing."""
    found = {
        app.test_client().open(re.sub(r"<.*?>", filled, rule.rule), method=verb)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("libres.sync.not_")
        for verb in rule.methods & set(VERBS)
    }
    assert {each.status_code for each in found} == {405}
