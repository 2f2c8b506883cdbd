"""The public surface: names, signatures, the tree of errors, documentation."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

import libres
from libres import conflicts, occupancy, sync, timetable, waiting
from libres.conflicts import query
from libres.context import registry as registries
from libres.context import session as sessions
from libres.context.core import Context, ContextServicesMixin
from libres.db import models, queries, scheduler
from libres.modules import errors, events, rasterizer, utils
from libres.sync import audit
from libres.sync import client as sync_client
from libres.sync import errors as sync_errors
from libres.sync.devices import Devices
from libres.sync.filter_store import Filters
from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.permissions import Permissions
from libres.sync.resources import Resources
from libres.sync.roles import Roles
from libres.sync.settings import Settings
from libres.sync.users import Users

NAMES = {
    "libres": "new_scheduler registry __version__",
    "libres.conflicts": (
        "ALWAYS OPEN Claim ClaimMapping Claims ConflictError EmptyQuery "
        "IncompleteQuestion InvalidClaim MirroredElsewhere NotTrackable NumericSpan "
        "Period Proposal Tracking recurring setup"
    ),
    "libres.conflicts.query": "ClaimQuery Page",
    "libres.conflicts.asking": "Answer Metrics",
    "libres.conflicts.rules": "Hit",
    "libres.conflicts.writing": "Written Result",
    "libres.conflicts.differences": "Difference",
    "libres.timetable": (
        "Applied Assignment Booked CacheDifference Closed Common Event Heat "
        "InvalidHours InvalidSubject InvalidWindow NotCached Opportunity Reason "
        "SpecialDay Subject Timetable UnknownSubject Weekly setup"
    ),
    "libres.freebusy": "Timetable setup",
    "libres.occupancy": (
        "AlreadyWatched Assignment Calibrated Count Doorway Extreme Extremes Finding "
        "Health InvalidMoment InvalidPlace LeftOut Loaded Occupancy Passages Reading "
        "Recorded Sensor Space Step Strange TallyDifference UnknownPlace Unreadable "
        "UnreadableFile Utilisation on_finding setup"
    ),
    "libres.occupancy.drawing": "Booked Day to_svg",
    "libres.occupancy.algebra": (
        "Calibration Passage Summary combined in_order replay summary_of"
    ),
    "libres.waiting": (
        "AlreadyWaiting Entry InvalidEntry NotWaiting TimeIsFree UnknownEntry "
        "WaitingList listen on_free setup unlisten"
    ),
    "libres.sync": (
        "AlreadyThere Applied ChangedMeanwhile Device DeviceState Filter Finding Flags "
        "InvalidConfiguration InvalidFilter InvalidName InvalidPassword "
        "InvalidPermissions InvalidSetting "
        "KeysMissing Lag MalformedRequest Member Membership NewDevice NotKept "
        "NotPermitted NotRegistrable NotRevertible NotSetUp NotSignedIn Organization "
        "OwnedResource Proposal PullAnswer PushAnswer Registry RequestError "
        "RequestTooLarge ResyncRequired Role Setting SignedIn StoredFilter Sync "
        "SyncError SyncModel TooManyRequests Unavailable UnknownEntity User "
        "UserService configure setup"
    ),
    "libres.sync.audit": (
        "ERASED Audit Entry Erased FieldChange Reverted Verdict audited setup "
        "verify_export"
    ),
    "libres.jobs": (
        "JOBS USUAL Job JobFailed Outcome Report bulk daily_report due named run"
    ),
    "libres.jobs.apscheduler": "schedule",
    "libres.jobs.celery": "register schedule",
    "libres.sync.client": (
        "ClientError Device Edit Pulled Pushed Refused Row ServerAway SignInNeeded "
        "UnknownRow"
    ),
    "libres.sync.configuration": "SECTIONS Configuration",
    "libres.sync.devices": "Devices",
    "libres.sync.errors": "SyncError RequestError",
    "libres.sync.filter_store": "Filters",
    "libres.sync.handlers": "Done Handler Item Refused Work",
    "libres.sync.members": "load",
    "libres.sync.memberships": "Memberships",
    "libres.sync.organizations": "Organizations",
    "libres.sync.permissions": "Permissions TEMPLATES",
    "libres.sync.resources": "Resources",
    "libres.sync.roles": "Roles",
    "libres.sync.settings": "Settings",
    "libres.sync.users": "Users",
    "libres.sync.values": "ALL NOTHING",
    "libres.timetable.heatmap": "to_svg",
    "libres.timetable.hours": "opening_spans ruled_spans public_holidays",
    "libres.timetable.calendars": "busy_times export Labelled",
    "libres.context.core": (
        "Context ContextServicesMixin StoppableService missing required"
    ),
    "libres.context.registry": "Registry create_default_registry",
    "libres.context.session": "SessionProvider SERIALIZABLE",
    "libres.context.settings": "set_default_settings",
    "libres.context.exposure": "Exposure",
    "libres.db": "new_scheduler",
    "libres.db.auditing": "CHECKS Check Finding MissingTablesError audit repair",
    "libres.db.scheduler": "Scheduler missing DAYS_MAP",
    "libres.db.queries": "Queries",
    "libres.db.migrations": (
        "MigrationsMissingError State check current script upgrade"
    ),
    "libres.db.models": (
        "ORMBase Allocation ReservedSlot Reservation ReservationBlocker"
    ),
    "libres.db.models.base": "ORMBase",
    "libres.db.models.allocation": "Allocation",
    "libres.db.models.reserved_slot": "ReservedSlot",
    "libres.db.models.reservation": "Reservation Timespan",
    "libres.db.models.blocker": "ReservationBlocker Timespan",
    "libres.db.models.timespan": "Timespan",
    "libres.db.models.timestamp": "TimestampMixin",
    "libres.db.models.other": "OtherModels",
    "libres.db.models.types": "UUID UTCDateTime JSON",
    "libres.db.models.types.uuid_type": "SoftUUID UUID",
    "libres.db.models.types.utcdatetime": "UTCDateTime",
    "libres.db.models.types.json_type": "JSON",
    "libres.embedded": "dsn",
    "libres.modules.errors": "LibresError",
    "libres.modules.events": (
        "Event on_allocations_added on_reservations_made on_reservations_confirmed "
        "on_reservations_approved on_reservations_denied on_reservations_removed "
        "on_reservation_time_changed"
    ),
    "libres.modules.rasterizer": (
        "VALID_RASTER MIN_RASTER MAX_RASTER is_valid_raster rasterize_start "
        "rasterize_end rasterize_span iterate_span"
    ),
    "libres.modules.utils": (
        "generate_uuids flatten pairs is_valid_reservation_length"
    ),
}

RESERVE = (
    "email, dates=None, group=None, data=None, session_id=None, quota=1, "
    "single_token_per_session=False, idempotency_key=None"
)

SCHEDULER = {
    "__init__": (
        "context, name, timezone, blocking_names=(), allocation_cls=..., "
        "reservation_cls=..."
    ),
    "clone": "",
    "setup_database": "",
    "managed_allocations": "",
    "blocking_allocations": "",
    "visible_allocations": "",
    "managed_reserved_slots": "",
    "managed_reservations": "",
    "visible_reservations": "",
    "managed_blockers": "",
    "visible_blockers": "",
    "extinguish_managed_records": "",
    "allocation_by_id": "id",
    "allocations_by_ids": "ids",
    "allocations_by_group": "group, masters_only=True",
    "allocations_by_groups": "groups, masters_only=True",
    "allocations_in_range": "start, end, masters_only=True, managed_only=True",
    "allocation_by_date": "start, end",
    "allocation_dates_by_group": "group",
    "allocation_mirrors_by_master": "master",
    "allocation_dates_by_ids": "ids, start_time=None, end_time=None",
    "manual_approval_required": "ids",
    "allocations_by_reservation": "token, id=None",
    "allocations_by_blocker": "token, id=None",
    "reservations_by_token": "token, id=None",
    "blockers_by_token": "token, id=None",
    "reservations_by_group": "group",
    "reservations_by_allocation": "allocation_id",
    "reserved_slots_by_type": "token, type=None",
    "reserved_slots_by_reservation": "token, id=None",
    "reserved_slots_by_blocker": "token, id=None",
    "reserved_slots_by_range": "start, end",
    "free_allocations_count": "master_allocation, start, end",
    "reservation_targets": "start, end",
    "allocate": (
        "dates, partly_available=False, raster=5, whole_day=False, quota=None, "
        "quota_limit=0, grouped=False, data=None, approve_manually=False, "
        "skip_overlapping=False"
    ),
    "move_allocation": (
        "master_id, new_start=None, new_end=None, group=None, new_quota=None, "
        "approve_manually=None, quota_limit=None, whole_day=None, data=..."
    ),
    "change_quota": "master, new_quota",
    "reordered_keylist": "allocations, new_quota",
    "remove_allocation": "id=None, groups=None",
    "remove_unused_allocations": "start, end, days=None, exclude_groups=False",
    "reserve": RESERVE,
    "book": RESERVE,
    "approve_reservations": "token",
    "approve_reservation": "reservation",
    "_approve_reservation_record": "reservation",
    "deny_reservation": "token",
    "remove_reservation": "token, id=None",
    "change_email": "token, new_email",
    "change_reservation_data": "token, data",
    "change_reservation_time_candidates": "tokens=None",
    "change_reservation": "token, id, new_start, new_end, quota=None",
    "change_reservation_time": "token, id, new_start, new_end",
    "add_blocker": "dates=None, group=None, reason=None, token=None, id=None",
    "remove_blocker": "token, id=None",
    "change_blocker_reason": "token, new_reason",
    "change_blocker": "token, id, new_start, new_end",
    "availability": "start=None, end=None",
    "allocations_with_availability_by_range": "start, end, normalize_dst=True",
    "search_allocations": (
        "start, end, days=None, minspots=0, available_only=False, whole_day='any', "
        "groups='any', strict=False"
    ),
    "transaction": "fn=None, *, attempts=10, deadline=None",
    "read_only": "",
    "clear_cache": "",
    "close": "",
    "commit": "",
    "rollback": "",
}

QUERIES = {
    "__init__": "context",
    "all_allocations_in_range": "start, end",
    "allocations_in_range": "query, start, end",
    "overlapping_allocations": "query, ranges",
    "availability_by_allocations": "allocations",
    "availability_by_range": "start, end, resources",
    "availability_by_day": "start, end, resources",
    "reserved_slots_by_range": "start, end, resource, blocking_resources",
    "availability_and_partitions_by_allocations": (
        "allocations, resource, blocking_resources, normalize_dst=True"
    ),
    "allocations_with_availability_by_range": (
        "start, end, resource, blocking_resources, normalize_dst=True"
    ),
    "reservations_by_session": "session_id",
    "confirm_reservations_for_session": "session_id, token=None",
    "remove_reservation_from_session": "session_id, token",
    "find_expired_reservation_sessions": "expiration_date",
    "remove_expired_reservation_sessions": "expiration_date=None",
    "remove_expired_idempotency_keys": "expiration_date=None",
}

CONTEXT = {
    "__init__": "name, registry=None, parent=None, locked=False",
    "as_current_context": "",
    "switch_to": "",
    "lock": "",
    "unlock": "",
    "get": "key",
    "set": "key, value",
    "get_setting": "name",
    "set_setting": "name, value",
    "set_service": "name, factory, cache=False",
    "get_service": "name",
    "transaction": "fn=None, *, attempts=10, deadline=None",
    "read_only": "",
}

REGISTRY = {
    "get_current_context": "",
    "is_existing_context": "name",
    "assert_exists": "name",
    "assert_does_not_exist": "name",
    "assert_not_locked": "name",
    "register_context": "name, replace=False",
    "get_context": "name, autocreate=False",
    "switch_context": "name",
    "context": "name",
}

SESSION_PROVIDER = {
    "__init__": "dsn, engine_config=None, session_config=None, replica_dsn=None",
    "get_postgres_version": "dsn",
    "assert_valid_postgres_version": "dsn",
    "stop_service": "",
}

ALLOCATION = {
    "copy": "",
    "display_start": "timezone=None",
    "display_end": "timezone=None",
    "overlaps": "start, end",
    "contains": "start, end",
    "align_dates": "start=None, end=None",
    "all_slots": "start=None, end=None",
    "count_slots": "start=None, end=None",
    "free_slots": "start=None, end=None",
    "is_available": "start=None, end=None",
    "limit_timespan": (
        "start, end, timezone=None, is_dst=False, raise_non_existent=False, "
        "raise_ambiguous=False"
    ),
    "normalized_slots": "",
    "availability_partitions": "normalize_dst=True",
    "find_spot": "start, end",
    "get_master": "",
    "siblings": "imaginary=True",
}

SPAN = {
    "display_start": "timezone=None",
    "display_end": "timezone=None",
}

FUNCTIONS = {
    "generate_uuids": "uuid, quota",
    "flatten": "nested",
    "pairs": "nested",
    "is_valid_reservation_length": "start, end, timezone",
}

RASTERIZER = {
    "is_valid_raster": "raster",
    "rasterize_start": "date, raster",
    "rasterize_end": "date, raster",
    "rasterize_span": "start, end, raster",
    "iterate_span": "start, end, raster",
}

CLAIMS = {
    "setup": "*, mirror_reservations=False, mirror_pending=False",
    "query": "",
    "check": "proposal, *, missing='collide'",
    "check_many": "proposals, *, within=True, missing='collide'",
    "explain": "proposal, *, missing='collide'",
    "matrix": "proposals",
    "free_between": "resource, start, end, *, timezone=None, min_length=None",
    "suggest": "proposal, n=5, *, resources=()",
    "metrics": "",
    "put": (
        "source, source_id, resource, during, *, span=None, bounds='[]', dims=None, "
        "part=0, exclusive=True, capacity=None, places=1, tentative=False, "
        "expires=None, before=..., after=..., label=None, url=None, timezone=None, "
        "doubtful='refuse'"
    ),
    "put_many": "rows, *, partial=False",
    "claim": "proposal",
    "drop": "source, source_id",
    "drop_many": "records",
    "drop_expired": "",
    "guarded": "*, deferred=False",
    "arrange": "resource, *, within",
    "detach": "resource",
    "parts_of": "resource",
    "track": "model, mapping, *, mode='auto', source=None, depends_on=()",
    "untrack": "model",
    "tracked": "",
    "verify": "source, *, repair=False",
    "rebuild": "source",
    "verify_mirror": "*, repair=False",
    "remove_mirror": "",
}

QUERY = {
    "during": "start, end, *, timezone=None, doubtful='refuse'",
    "span": "lower, upper, *, bounds='[]', missing='collide'",
    "without": "source, source_id",
    "source": "source",
    "page": "limit=100, after=None",
}

OCCUPANCY = {
    "setup": "",
    "add_space": (
        "name, *, timezone, parent=None, resource=None, capacity=None, policy='raw', "
        "opens=None, closes=None"
    ),
    "add_doorway": "name, side_a, side_b, *, several=False",
    "space": "key",
    "spaces": "",
    "sensors": "",
    "assign": "sensor, doorway, sign, since",
    "unassign": "sensor, at",
    "record": "events, *, source='api'",
    "load_csv": "stream, *, source='csv', atomic=False, progress=None",
    "sign_alive": "codes, *, at=None",
    "count": "space, at=None, policy=None",
    "extremes": "space, start, end, policy=None",
    "passages": "sensor, start, end",
    "silences": "space, start, end",
    "calibrate": "space, value, at=None, *, kind='manual', actor=None, note=None",
    "schedule_reset": "space, local_time, zone=None",
    "apply_resets": "until=None",
    "rebuild": "space=None, *, progress=None",
    "verify": "space=None, *, progress=None",
    "health": "at=None",
    "find_over_capacity": "start, end",
    "check_in": "reservation, at=None",
    "findings": "kind=None, start=None, end=None",
    "strikes": "since=None",
    "utilisation": "space, start, end",
}

WAITING = {
    "setup": "",
    "join": (
        "scheduler, email, start, end, *, places=1, data=None, until=None, again=True"
    ),
    "leave": "id",
    "entry": "id",
    "entries": "scheduler, start=None, end=None, *, after=0, limit=None",
    "matching": "scheduler, start=None, end=None",
    "serve": "scheduler, id",
    "serve_first": "scheduler, start, end",
    "drop_expired": "",
}

TIMETABLE = {
    "setup": "",
    "add": "names, *, timezone, tags=None, data=None",
    "subject": "name",
    "subjects": "*, tags=None, inactive=False",
    "set_active": "names, *, active",
    "remove": "name",
    "open": (
        "names, spans, *, timezone=None, raster=15, quota=1, "
        "skip_overlapping=False, progress=None"
    ),
    "close": "names=None, spans=None, *, timezone=None, raster=15",
    "set_hours": "names, hours",
    "add_exceptions": "names, days",
    "remove_exceptions": "names, first, last",
    "hours": "name",
    "apply_template": "names, until, *, since=None, holidays=None, progress=None",
    "extend_horizon": "days=365, *, holidays=None, progress=None",
    "cache": "*, progress=None",
    "uncache": "",
    "rebuild_cache": "*, progress=None",
    "verify_cache": "",
    "free": (
        "subject, start, end, *, min_length=None, raster=None, tentative=False, "
        "timezone=None"
    ),
    "busy": (
        "subject, start, end, *, reasons=False, within='allocated', tentative=False, "
        "timezone=None"
    ),
    "is_free": "subject, start, end, *, tentative=False, timezone=None",
    "why_not": "subject, start, end, *, timezone=None",
    "from_bits": "subject, day, bits",
    "with_hours": "",
    "to_bits": "subject, day, *, tentative=False",
    "who_is_free": (
        "windows, *, among=None, tags=None, duration=None, fraction=1.0, "
        "buffer=None, tentative=False, raster=15, timezone=None, order='name', "
        "limit=None, after=None"
    ),
    "count_free": (
        "windows, *, among=None, tags=None, duration=None, fraction=1.0, "
        "buffer=None, tentative=False, raster=15, timezone=None"
    ),
    "common": ("names, start, end, *, min_length=None, quorum=None, timezone=None"),
    "next_free": "names, duration, *, after, within=None, n=1",
    "heatmap": "start, end, step=15, *, among=None, tags=None",
    "assign": "events, *, among=None, timezone=None",
    "export_csv": "names, start, end, what='free', *, timezone=None",
    "export_ics": "name, start, end, kind='freebusy', *, timezone=None",
    "import_ics": ("name, text, start, end, *, calendar='default', timezone=None"),
    "book_first": (
        "names, duration, within, email, *, timezone=None, data=None, quota=1"
    ),
}

SYNC = {
    "__init__": "context",
    "setup": "",
    "stop": "",
    "register_core": (
        "*, reservations=True, allocations=True, check_ins=True, unexposed=False"
    ),
    "acting": "actor, *, request=None, reason=None, organization=None",
    "sign_in": "username, password, *, organization=None, device=None, address=''",
    "sign_in_device": "key, *, address=''",
    "refresh": "token, *, address=''",
    "sign_out": "token",
    "authenticate": "token, organization=None",
    "count": "member",
    "drop_over": "",
    "enable_row_security": "*, owners=False",
    "disable_row_security": "",
    "grants": "role",
    "discover": "bases",
    "describe": "member",
    "examine": "",
    "mend": "",
    "number": "",
    "work": "stop, *, interval=..., told=...",
    "pull": "member, body, *, request=None",
    "push": "member, body, *, request=None",
    "drop_old_changes": "until",
    "lag": "",
}

SYNC_REGISTRY = {
    "get": "name",
    "named": "name",
    "of": "model",
    "add": "model",
    "register": (
        "model, *, name=None, tenant=None, shared=False, fields=None, readonly=(), "
        "secret=(), conflicts='reject', handler=None"
    ),
}

ORGANIZATIONS = {
    "add": "name, slug, reference=None",
    "named": "slug",
    "all": "",
    "set_active": "slug, active",
}

USERS = {
    "authenticate": "username, password",
    "user": "id",
    "add": "username, password=None, email='', staff=False",
    "named": "username",
    "all": "",
    "set_password": "user, password",
    "set_active": "user, active",
    "end_tokens": "user",
}

ROLES = {
    "add": "code, name, organization=None, pages=None",
    "named": "code, organization=None",
    "all": "organization=None",
}

MEMBERSHIPS = {
    "add": "user, organization, role",
    "set_role": "user, organization, role",
    "set_active": "user, organization, active",
    "remove": "user, organization",
    "of_user": "user_id",
    "of_organization": "organization",
}

PERMISSIONS = {
    "set": "organization, role, model_name, flags",
    "grant": "organization, role, model_name, flags",
    "revoke": "organization, role, model_name, flags",
    "of": "organization, role",
    "export": "organization",
    "validate": "document, organization",
    "apply": "organization, document, dry_run=False",
    "generate": "template, roles, models",
}

FILTERS = {
    "set": "organization, role, model_name, conditions",
    "remove": "organization, role, model_name",
    "all": "organization=None",
}

DEVICES = {
    "add": "user, organization, name",
    "new_key": "id",
    "revoke": "id",
    "all": "organization=None",
}

RESOURCES = {
    "add": "organization, name, timezone, blocking_names=()",
    "all": "organization=None",
    "of": "resource",
    "remove": "resource",
}

SETTINGS = {
    "get": "name",
    "all": "",
    "set": "name, value, by='', version=None",
    "reset": "name, version=None",
}

AUDIT = {
    "__init__": "context",
    "acting": "actor, *, request=None, reason=None",
    "history": (
        "model=None, id=None, *, user=None, action=None, since=None, until=None, "
        "request=None, tenants=None, before=None, limit=100"
    ),
    "entry": "position, *, tenants=None",
    "as_of": "model, id, time",
    "diff": "model, id, first, second",
    "revert": "position, *, reason=None, scheduler=None",
    "verify": "*, told=..., anchors=()",
    "anchor": "",
    "anchors": "",
    "erase": "model, id, fields=None, *, reason",
    "drop_old": "until",
    "protect": "owner, role",
}

CLIENT = {
    "__init__": "path, url, transport=None",
    "close": "",
    "sign_in": "username, password, *, organization=None, name=None",
    "sign_in_by_key": "key",
    "rows": "model",
    "row": "model, id",
    "create": "model, fields, id=None",
    "change": "model, id, fields",
    "remove": "model, id",
    "dismiss": "edit",
    "retry": "edit",
    "sync": "",
    "push": "",
    "pull": "batch=500",
}

SURFACE = [
    (sync.Sync, SYNC),
    (sync.Registry, SYNC_REGISTRY),
    (Organizations, ORGANIZATIONS),
    (Users, USERS),
    (Roles, ROLES),
    (Memberships, MEMBERSHIPS),
    (Permissions, PERMISSIONS),
    (Filters, FILTERS),
    (Devices, DEVICES),
    (Resources, RESOURCES),
    (Settings, SETTINGS),
    (audit.Audit, AUDIT),
    (sync_client.Device, CLIENT),
    (timetable.Timetable, TIMETABLE),
    (occupancy.Occupancy, OCCUPANCY),
    (waiting.WaitingList, WAITING),
    (conflicts.Claims, CLAIMS),
    (query.ClaimQuery, QUERY),
    (scheduler.Scheduler, SCHEDULER),
    (queries.Queries, QUERIES),
    (Context, CONTEXT),
    (registries.Registry, REGISTRY),
    (sessions.SessionProvider, SESSION_PROVIDER),
    (models.Allocation, ALLOCATION),
    (models.ReservedSlot, SPAN),
    (models.Reservation, {**SPAN, "timespans": "", "_target_allocations": ""}),
    (
        models.ReservationBlocker,
        {**SPAN, "timespans": "", "target_allocations": "masters_only=True"},
    ),
    (utils, FUNCTIONS),
    (rasterizer, RASTERIZER),
]

PROPERTIES = [
    (sync.Sync, "registry organizations users roles memberships permissions filters"),
    (sync.Sync, "devices resources settings session"),
    (sync_client.Device, "pending refused"),
    (scheduler.Scheduler, "resource blocking_resources session session_provider"),
    (scheduler.Scheduler, "begin_nested is_allocation_exposed generate_uuid"),
    (ContextServicesMixin, "session session_provider begin_nested validate_email"),
    (Context, "read_only_session"),
    (registries.Registry, "current_context"),
    (models.Allocation, "start end raster whole_day pending_reservations in_group"),
    (models.Allocation, "waitinglist_length availability normalized_availability"),
    (models.Allocation, "is_separate quota_left is_transient is_master"),
    (models.Reservation, "title autoapprovable"),
    (models.ReservationBlocker, "title"),
]

PLAIN_ERRORS = (
    "ModifiedReadOnlySession DirtyReadOnlySession ContextAlreadyExists "
    "UnknownContext ContextIsLocked UnknownService UnknownUtility "
    "InvalidAllocationError OverlappingAllocationError AffectedReservationError "
    "InvalidEmailAddress ReservationTooLong ReservationTooShort "
    "ReservationParametersInvalid AlreadyReservedError QuotaOverLimit "
    "QuotaImpossible InvalidQuota InvalidReservationError NotReservableError "
    "NoReservationsToConfirm InvalidReservationToken OverlappingReservationError "
    "DatesMayNotBeEqualError TimerangeTooLong NotTimezoneAware "
    "OutdatedSchema UpgradeImpossible"
)

REQUEST_ERRORS = {
    "MalformedRequest": ("validation", 400),
    "NotSignedIn": ("authentication", 401),
    "NotPermitted": ("authorization", 403),
    "ResyncRequired": ("resync_required", 410),
    "RequestTooLarge": ("validation", 413),
    "TooManyRequests": ("rate_limit", 429),
    "Unavailable": ("database", 503),
}
"""What clients of the synchronisation are told."""


def parameters(text):
    """Read a pinned signature as (name, default, keyword only)."""
    keyword_only, found = False, []
    for part in filter(None, text.split(", ")):
        if part == "*":
            keyword_only = True
            continue
        name, equals, default = part.partition("=")
        value = ast.literal_eval(default) if equals else inspect.Parameter.empty
        found.append((name, value, keyword_only))
    return found


def actual(function):
    """The signature of a function in the same terms, without self."""
    found = list(inspect.signature(function).parameters.values())
    if found and found[0].name in ("self", "cls"):
        found.pop(0)
    return [(p.name, p.default, p.kind is p.KEYWORD_ONLY) for p in found]


def agrees(pinned, found):
    """Whether both are the same; an ellipsis stands for any default."""
    name, default, keyword_only = pinned
    empty = inspect.Parameter.empty
    default_agrees = found[1] is not empty if default is ... else found[1] == default
    return (name, keyword_only) == (found[0], found[2]) and default_agrees


@pytest.mark.parametrize(
    ("module", "name"),
    [
        pytest.param(module, name, id=f"{module}.{name}")
        for module, names in NAMES.items()
        for name in names.split()
    ],
)
def test_name(module, name):
    """Each public name is where it always was."""
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("owner", "name", "pinned"),
    [
        pytest.param(owner, name, pinned, id=f"{owner.__name__}.{name}")
        for owner, functions in SURFACE
        for name, pinned in functions.items()
    ],
)
def test_signature(owner, name, pinned):
    """Each signature has its names, their order, their kinds and defaults."""
    expected, found = parameters(pinned), actual(getattr(owner, name))
    assert [one[0] for one in found] == [one[0] for one in expected]
    assert all(map(agrees, expected, found)), found


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        pytest.param(owner, name, id=f"{owner.__name__}.{name}")
        for owner, names in PROPERTIES
        for name in names.split()
    ],
)
def test_property(owner, name):
    """What is read without parentheses is no method."""
    static = inspect.getattr_static(owner, name)
    assert not isinstance(static, (staticmethod, classmethod))
    assert not inspect.isfunction(static)


class TestPackage:
    def test_all(self):
        """The package exports two names."""
        assert libres.__all__ == ("new_scheduler", "registry")

    def test_new_scheduler_is_the_class(self):
        """The function of that name is the class, everywhere."""
        assert libres.new_scheduler is scheduler.Scheduler
        assert (
            importlib.import_module("libres.db").new_scheduler is libres.new_scheduler
        )

    def test_registry(self):
        """The registry of the package is a default one."""
        assert isinstance(libres.registry, registries.Registry)
        assert libres.registry.is_existing_context("master")

    def test_version(self):
        """The version is a string."""
        assert libres.__version__ == "2.0.0.dev0"

    def test_constants(self):
        """Some values are part of the interface."""
        assert sessions.SERIALIZABLE == "SERIALIZABLE"
        assert rasterizer.VALID_RASTER == (5, 10, 15, 30, 60)
        assert (rasterizer.MIN_RASTER, rasterizer.MAX_RASTER) == (5, 60)
        week = ["mo", "tu", "we", "th", "fr", "sa", "su"]
        assert {day: number for number, day in enumerate(week)} == scheduler.DAYS_MAP

    @pytest.mark.parametrize(
        "name",
        [
            "allocations_in_range",
            "overlapping_allocations",
            "availability_by_allocations",
        ],
    )
    def test_static(self, name):
        """Three methods of Queries need no instance."""
        assert isinstance(inspect.getattr_static(queries.Queries, name), staticmethod)

    def test_services(self):
        """Scheduler and Queries get at the services of their context."""
        assert issubclass(scheduler.Scheduler, ContextServicesMixin)
        assert issubclass(queries.Queries, ContextServicesMixin)


class TestErrors:
    @pytest.mark.parametrize("name", PLAIN_ERRORS.split())
    def test_plain(self, name):
        """Each of these stands directly below LibresError."""
        assert getattr(errors, name).__bases__ == (errors.LibresError,)

    def test_root(self):
        """The root is an exception, and nothing more."""
        assert errors.LibresError.__bases__ == (Exception,)

    @pytest.mark.parametrize("name", REQUEST_ERRORS)
    def test_requests(self, name):
        """Errors that clients of the synchronisation are told have type and status."""
        error = getattr(sync, name)
        assert error.__bases__ == (sync.RequestError,)
        assert (error.type, error.status) == REQUEST_ERRORS[name]

    def test_rooms(self):
        """The room of synchronisation exports all its errors; they have two roots, and
        what goes wrong on a device has another one."""
        names = {"SyncError", "RequestError", *REQUEST_ERRORS}
        of_the_host = set(sync_errors.__all__) - names
        assert set(sync_errors.__all__) <= set(sync.__all__)
        assert {getattr(sync, n).__bases__ for n in of_the_host} == {(sync.SyncError,)}
        roots = sync.SyncError, sync.RequestError, sync_client.ClientError
        assert {each.__bases__ for each in roots} == {(errors.LibresError,)}

    def test_pending_is_affected(self):
        """An affected pending reservation is an affected reservation."""
        bases = errors.AffectedPendingReservationError.__bases__
        assert bases == (errors.AffectedReservationError,)

    @pytest.mark.parametrize(
        ("name", "pinned"),
        [
            pytest.param("OverlappingAllocationError", "start, end, existing"),
            pytest.param("AffectedReservationError", "existing=..."),
            pytest.param("AffectedPendingReservationError", "existing=..."),
        ],
    )
    def test_facts(self, name, pinned):
        """Some errors take facts, which become attributes."""
        names = [one[0] for one in parameters(pinned)]
        error = getattr(errors, name)(*range(len(names)))
        assert [getattr(error, fact) for fact in names] == list(range(len(names)))


def documented():
    """All public classes and functions of the public modules, and their members."""
    for module_name, names in NAMES.items():
        module = importlib.import_module(module_name)
        yield module_name, module
        for name in names.split():
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isroutine(value):
                yield f"{module_name}.{name}", value
            if inspect.isclass(value):
                for member, thing in members(value):
                    yield f"{module_name}.{name}.{member}", thing
    for name, error in vars(errors).items():
        if inspect.isclass(error) and issubclass(error, BaseException):
            yield f"libres.modules.errors.{name}", error


def members(owner):
    """The public methods and properties that a class of ours defines."""
    for name in dir(owner):
        thing = inspect.getattr_static(owner, name)
        thing = getattr(thing, "__func__", thing)
        function = getattr(thing, "fget", thing)
        ours = getattr(function, "__module__", None) or ""
        method = inspect.isfunction(thing) or isinstance(thing, property)
        if method and ours.startswith("libres") and not name.startswith("_"):
            yield name, thing


@pytest.mark.parametrize(
    "thing",
    [pytest.param(thing, id=name) for name, thing in dict(documented()).items()],
)
def test_documented(thing):
    """Every public name says what it is good for."""
    assert len((inspect.getdoc(thing) or "").split()) >= 2


def test_events_are_told_apart():
    """The seven events are lists of their own."""
    found = [e for e in vars(events).values() if isinstance(e, events.Event)]
    assert len({id(event) for event in found}) == len(found) == 7
