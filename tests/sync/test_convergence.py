"""Whatever devices and the server do, in whatever order, in the end all are equal."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update

from libres.sync import configure
from libres.sync.client import Device, ServerAway
from libres.sync.devices import Devices
from libres.sync.values import ALL
from libres.web import WebSettings, create_app
from tests.sync.models import Customer, Note
from tests.sync.phones import Wire

CUSTOMER, NOTE = "myapp.Customer", "myapp.Note"

EXAMPLES = int(os.environ.get("LIBRES_CONVERGENCE_EXAMPLES", "12"))
"""Stories that are played."""

MODELS = {CUSTOMER: Customer, NOTE: Note}

URL = "http://server.example"

NAMES = ("ada", "bob", "eve")
AGES = (10, 20, 30)

FILTERS = (
    [],
    [{"field": "age", "op": "ge", "value": 20}],
    [{"field": "age", "op": "lt", "value": 20}],
    [{"field": "name", "op": "in", "value": ["ada", "eve"]}],
)
"""What the third device sees; it is changed on the way."""

who = st.integers(0, 2)
which = st.integers(0, 5)

STEPS = st.one_of(
    st.tuples(st.just("create"), who, st.sampled_from(NAMES), st.sampled_from(AGES)),
    st.tuples(st.just("change"), who, which, st.sampled_from(NAMES)),
    st.tuples(st.just("grow"), who, which, st.sampled_from(AGES)),
    st.tuples(st.just("remove"), who, which),
    st.tuples(st.just("write"), who, which, st.sampled_from(NAMES)),
    st.tuples(st.just("reword"), who, which, st.sampled_from(NAMES)),
    st.tuples(st.just("push"), who),
    st.tuples(st.just("pull"), who, st.sampled_from([1, 3, 100])),
    st.tuples(st.just("lost_push"), who),
    st.tuples(st.just("lost_pull"), who),
    st.tuples(st.just("server"), st.sampled_from(["grow", "remove", "create"]), which),
    st.tuples(st.just("filter"), st.sampled_from(range(len(FILTERS)))),
)


class House:
    """A server, and three devices: two that see all, and one that has a filter."""

    def __init__(self, sync, acme, app, folder):
        self.sync, self.acme, self.app, self.folder = sync, acme, app, folder
        self.role = sync.roles.named("sales", acme)
        self.filter = FILTERS[0]
        self.devices, self.wires = [], []
        self._open = ExitStack()

    def begin(self, number):
        """Empty the server, and take new devices."""
        self._open.close()
        session = self.sync.session
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("customers", "sync_changes", "sync_pending", "sync_feeds"):
            session.execute(text(f"TRUNCATE {table} CASCADE"))
        session.execute(text("TRUNCATE sync_versions, sync_applied"))
        session.execute(text("SET LOCAL session_replication_role = origin"))
        session.execute(text("DELETE FROM sync_devices"))
        self.set_filter(FILTERS[0])
        users = [self.sync.users.named(each) for each in ("ada", "ada", "sally")]
        added = [
            Devices(self.sync.context).add(user, self.acme, f"d{place}")
            for place, user in enumerate(users)
        ]
        self.sync.commit()
        self.wires = [Wire(self.app) for _each in added]
        self.devices = [
            self._open.enter_context(Device(self.folder / f"{number}-{place}", URL, w))
            for place, w in enumerate(self.wires)
        ]
        for device, each in zip(self.devices, added, strict=True):
            device.sign_in_by_key(each.key)

    def set_filter(self, conditions):
        """Let the third device see what meets conditions."""
        self.filter = conditions
        if conditions:
            self.sync.filters.set(self.acme, self.role, CUSTOMER, conditions)
        else:
            self.sync.filters.remove(self.acme, self.role, CUSTOMER)

    def step(self, kind, *values):
        """Do one thing."""
        getattr(self, f"do_{kind}")(*values)

    # Devices ----------------------------------------------------------------------

    def _chosen(self, who, which, model=CUSTOMER):
        rows = self.devices[who].rows(model)
        return rows[which % len(rows)].id if rows else None

    def do_create(self, who, name, age):
        """Make a customer."""
        self.devices[who].create(CUSTOMER, {"name": name, "age": age})

    def do_change(self, who, which, name):
        """Change a name."""
        chosen = self._chosen(who, which)
        if chosen is not None:
            self.devices[who].change(CUSTOMER, chosen, {"name": name})

    def do_grow(self, who, which, age):
        """Change an age: it may leave what the third device sees."""
        chosen = self._chosen(who, which)
        if chosen is not None:
            self.devices[who].change(CUSTOMER, chosen, {"age": age})

    def do_remove(self, who, which):
        """Delete a customer, and the notes about them."""
        chosen = self._chosen(who, which)
        if chosen is not None:
            self.devices[who].remove(CUSTOMER, chosen)

    def do_write(self, who, which, text):
        """Write a note about a customer, who may be new as well."""
        values = {"text": text, "customer_id": self._chosen(who, which)}
        self.devices[who].create(NOTE, values)

    def do_reword(self, who, which, text):
        """Change a note; changes of different fields are merged."""
        chosen = self._chosen(who, which, NOTE)
        if chosen is not None:
            self.devices[who].change(NOTE, chosen, {"text": text})

    def do_push(self, who):
        """Push."""
        self.devices[who].push()

    def do_pull(self, who, batch):
        """Pull."""
        self.devices[who].pull(batch)

    def do_lost_push(self, who):
        """Push, and lose the answer."""
        self.wires[who].loses_answers = 1
        with suppress(ServerAway):
            self.devices[who].push()
        self.wires[who].loses_answers = 0

    def do_lost_pull(self, who):
        """Pull, and lose the first answer."""
        self.wires[who].loses_answers = 1
        with suppress(ServerAway):
            self.devices[who].pull()
        self.wires[who].loses_answers = 0

    # Server -----------------------------------------------------------------------

    def do_server(self, kind, which):
        """Change rows by SQL, as an application does that knows of no devices."""
        session = self.sync.session
        ids = list(session.scalars(select(Customer.id).order_by(Customer.id)))
        if kind == "create":
            session.execute(
                insert(Customer).values(
                    name="server", age=20, organization_id=self.acme.id
                )
            )
        elif ids:
            match = Customer.id == ids[which % len(ids)]
            change = (
                update(Customer).where(match).values(age=Customer.age + 10)
                if kind == "grow"
                else delete(Customer).where(match)
            )
            session.execute(change)
        self.sync.commit()

    def do_filter(self, number):
        """Change what the third device sees."""
        self.set_filter(FILTERS[number])
        self.sync.commit()

    # In the end -------------------------------------------------------------------

    def settle(self):
        """Push what is left, dismiss what was refused, and pull until all is there."""
        for device in self.devices:
            device.push()
            for edit in device.refused:
                device.dismiss(edit)
        for device in self.devices:
            device.pull()

    def shown(self, who):
        """What a device has, without what the server alone writes."""
        return {
            model: {
                str(each.id): {name: each.fields[name] for name in names}
                for each in self.devices[who].rows(model)
            }
            for model, names in FIELDS.items()
        }

    def expected(self, who):
        """What it should have, by SQL and Python."""
        self.sync.session.rollback()
        conditions = self.filter if who == 2 else []
        found = {}
        for model, names in FIELDS.items():
            rows = self.sync.session.scalars(select(MODELS[model]))
            found[model] = {
                str(row.id): {name: getattr(row, name) for name in names}
                for row in rows
                if model != CUSTOMER or all(holds(row, each) for each in conditions)
            }
        self.sync.session.rollback()
        return found


FIELDS = {CUSTOMER: ("name", "age"), NOTE: ("text", "customer_id")}


def holds(row, condition):
    """Whether a row meets a condition."""
    value, asked = getattr(row, condition["field"]), condition["value"]
    match condition["op"]:
        case "ge":
            return value >= asked
        case "lt":
            return value < asked
        case _:
            return value in asked


@pytest.fixture
def house(context, sync, acme, tmp_path):
    """Everything, and two users who may do all: one of them sees less."""
    configure(context, {"first": "s" * 64})
    for name, code in (("ada", "administrators"), ("sally", "sales")):
        user = sync.users.add(name)
        sync.memberships.add(user, acme, sync.roles.named(code, acme))
    for model in MODELS:
        sync.permissions.set(acme, sync.roles.named("sales", acme), model, ALL)
    for name in ("requests_per_minute", "requests_per_hour"):
        sync.settings.set(name, 1_000_000)
    sync.commit()
    app = create_app(
        context,
        WebSettings(pages=False, requests_per_minute=None),
        secret_key="signs cookies",
    )
    return House(sync, acme, app, tmp_path)


def test_converges(house):
    """Edits, pushes, pulls, lost answers, deletions, changes of the filter."""
    numbers = count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(STEPS, min_size=8, max_size=30))
    def run(steps):
        house.begin(next(numbers))
        for kind, *values in steps:
            house.step(kind, *values)
        house.settle()
        for who in range(3):
            assert house.shown(who) == house.expected(who)

    run()
