"""What is sent and answered, as the document says it."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import INCLUDE, ValidationError, fields, validate, validates_schema

from libres.web.api.sync.refusing import SEVERITIES
from libres.web.fields import Moment, Query, Schema, Text, Whole

STATES: Final = ("healthy", "degraded", "unhealthy")

PAGE: Final = 100
"""Rows of a page of the history, unless somebody says how many."""


class Loose(Schema):
    """A document with more in it."""

    class Meta:
        """Take what is not known."""

        unknown = INCLUDE


def _list(schema: Any) -> fields.Field[Any]:
    return fields.List(fields.Nested(schema), required=True)


def _named(value: Any, **more: Any) -> fields.Dict:
    """Return a field of values by the name of the model."""
    return fields.Dict(keys=fields.String(), values=value, **more)


# Errors -------------------------------------------------------------------------------


class RetryInfo(Schema):
    """When to try again."""

    retry_after = fields.Integer(
        required=True, metadata={"description": "Seconds, as in Retry-After."}
    )


class SyncError(Schema):
    """What went wrong."""

    type = fields.String(required=True, validate=validate.OneOf(list(SEVERITIES)))
    message = fields.String(required=True)
    severity = fields.String(
        required=True, validate=validate.OneOf(sorted(set(SEVERITIES.values())))
    )
    retryable = fields.Boolean(required=True)
    timestamp = Moment(required=True)
    context = fields.Dict(
        required=True,
        metadata={"description": "The id of the request, and what is known."},
    )
    retry_info = fields.Nested(RetryInfo, required=True, allow_none=True)


class SyncRefusal(Schema):
    """The answer to what was refused, or failed."""

    error = fields.Nested(SyncError, required=True)


# Signing in ---------------------------------------------------------------------------


class Credentials(Schema):
    """A name and a password, or the key of a device.

    Who belongs to several organisations says which one. A device that is named is
    added, and has its own place in the feed.
    """

    username = Text(shortest=1)
    password = Text(longest=1000, shortest=1)
    organization = Text(shortest=1, metadata={"description": "Its slug."})
    device = Text(shortest=1, metadata={"description": "What it is called."})
    device_key = Text(shortest=1, longest=500)

    @validates_schema
    def _complete(self, data: Any, **_more: Any) -> None:
        by_password = {"username", "password"} <= data.keys()
        if by_password == ("device_key" in data):
            message = "Either username and password or device_key is needed."
            raise ValidationError(message, "username")


class Refreshing(Schema):
    """What refreshes."""

    refresh_token = Text(shortest=1, longest=5000, required=True)


class Revoking(Schema):
    """Any token of those to end; without one, that of the header."""

    token = Text(shortest=1, longest=5000)


class SyncUser(Schema):
    """Who signed in."""

    id = fields.String(required=True)
    username = fields.String(required=True)
    email = fields.String(required=True)


class SyncOrganization(Schema):
    """To what they belong, and as what."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    slug = fields.String(required=True)
    group = fields.String(required=True, metadata={"description": "The role."})


class SyncDevice(Schema):
    """With what they signed in."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)


class SignedIn(Schema):
    """Tokens: one for requests, and one for the next two, which can be used once."""

    token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds."})
    token_type = fields.String(required=True, validate=validate.OneOf(["Bearer"]))
    user = fields.Nested(SyncUser, required=True)
    organization = fields.String(
        required=True, metadata={"description": "The slug of the one they are for."}
    )
    organizations = _list(SyncOrganization)
    device = fields.Nested(SyncDevice, required=True, allow_none=True)


class Revoked(Schema):
    """They are over."""

    revoked = fields.Boolean(required=True)


# Pushing and pulling ------------------------------------------------------------------


class PushedItem(Loose):
    """Fields of a row, and what to do with it."""

    _model = fields.String(required=True)


class Push(Schema):
    """Rows to write."""

    data = fields.List(
        fields.Nested(PushedItem), required=True, validate=validate.Length(min=1)
    )
    mode = fields.String(validate=validate.OneOf(["partial", "atomic"]))


class Counts(Schema):
    """How many rows there were of a model."""

    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    deleted = fields.Integer()


class Pushed(Loose):
    """What became of the items."""

    status = fields.String(
        required=True,
        validate=validate.OneOf(["success", "partial_success", "error"]),
    )
    success_count = fields.Integer(required=True)
    error_count = fields.Integer(required=True)
    processed_models = _named(fields.Nested(Counts), required=True)
    processing_time = fields.Float(required=True, metadata={"description": "Seconds."})
    success_rate = fields.Float(required=True, metadata={"description": "Percent."})
    errors = fields.List(
        fields.Dict(), required=True, metadata={"description": "Of items, by index."}
    )
    results = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "Of each item."},
    )
    cursor = fields.String(required=True, allow_none=True)


class Pull(Loose):
    """What to fetch: the cursor of the last answer, or models to begin with, each with
    the moment since when, or null for all rows; without either, all there is."""

    cursor = fields.String(allow_none=True)
    models = _named(fields.String(allow_none=True), allow_none=True)
    batch_size = Whole(least=1, most=1000, allow_none=True)


class PulledModel(Loose):
    """How many rows of a model, or why there are none."""

    count = fields.Integer(required=True)


class PulledBatch(Loose):
    """How much there is in the answer."""

    batch_size = fields.Integer(required=True)
    total_records = fields.Integer(required=True)


class Pulled(Loose):
    """What has changed."""

    data = fields.List(fields.Dict(), required=True)
    deleted = fields.List(fields.Dict(), required=True)
    metadata = _named(fields.Nested(PulledModel), required=True)
    batch_info = fields.Nested(PulledBatch, required=True)
    cursor = fields.String(required=True)
    has_more = fields.Boolean(required=True)
    resync = fields.Raw(required=True)


class DescribedModels(Schema):
    """The models that somebody may do anything with, by name."""

    models = _named(fields.Dict(), required=True)


# Watching -----------------------------------------------------------------------------


class HistoryAsked(Query):
    """Which page of the history."""

    cursor = Text(longest=500, metadata={"description": "'next' of the page before."})
    limit = Whole(least=1, most=500, strict=False, load_default=PAGE)


class Noted(Schema):
    """A request that was answered."""

    at = Moment(required=True)
    operation = fields.String(required=True)
    models = fields.List(fields.String(), required=True)
    status = fields.String(required=True)
    succeeded = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    seconds = fields.Float(required=True)
    request = fields.String(required=True, allow_none=True)
    device = fields.UUID(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)


class History(Schema):
    """A page of the history, the latest first."""

    history = _list(Noted)
    next = fields.String(required=True, allow_none=True)


class Check(Loose):
    """How a part is."""

    status = fields.String(required=True, validate=validate.OneOf(STATES))


class Checks(Schema):
    """How the parts are."""

    database = fields.Nested(Check, required=True)
    sequencer = fields.Nested(Check, required=True)
    cache = fields.Nested(Check, required=True)
    logging = fields.Nested(Check, required=True)
    audit = fields.Nested(Check, metadata={"description": "Where changes are audited."})
    disk = fields.Nested(
        Check, metadata={"description": "'free' from 0 to 1; missing: not known here."}
    )


class SyncHealth(Schema):
    """How everything is: as bad as its worst part."""

    status = fields.String(required=True, validate=validate.OneOf(STATES))
    timestamp = Moment(required=True)
    checks = fields.Nested(Checks, required=True)


class Days(Query):
    """Of how many days."""

    days = Whole(least=1, most=366, strict=False, load_default=7)


class OperationStats(Schema):
    """What an operation has cost. Times in seconds."""

    requests = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    records = fields.Integer(required=True)
    average_seconds = fields.Float(required=True)
    p95_seconds = fields.Float(required=True)
    slowest_seconds = fields.Float(required=True)


class Stats(Schema):
    """What was asked, and what it has cost."""

    days = fields.Integer(required=True)
    operations = _named(fields.Nested(OperationStats), required=True)
    average_statements = fields.Float(required=True, allow_none=True)
    average_memory = fields.Float(
        required=True, allow_none=True, metadata={"description": "Megabytes."}
    )


class CacheStats(Schema):
    """What the database has found in its memory."""

    hits = fields.Integer(required=True)
    reads = fields.Integer(required=True)
    hit_ratio = fields.Float(required=True, allow_none=True)


class Performance(Schema):
    """Figures, and what follows from them."""

    performance_stats = fields.Nested(Stats, required=True)
    current_memory_usage = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Megabytes of this process; null: not known here."},
    )
    cache_stats = fields.Nested(CacheStats, required=True)
    optimization_suggestions = fields.List(fields.String(), required=True)
