"""Says what has become of a push: as a whole, by model, and item by item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from libres.sync.handlers import Outcome, Refused

if TYPE_CHECKING:
    from libres.sync.pushing.reading import Mode
    from libres.sync.registry import SyncModel

Status = Literal["success", "partial_success", "error"]

Result = Mapping[str, Any]
"""Of an item, without its index: ``status``, ``id``, ``version``, and ``error``."""

DONE: Final = ("created", "updated", "deleted")

UNCHANGED: Final = "unchanged"
"""An item was dropped for what the server has, by the policy of its model."""

ROLLED_BACK: Final = "rolled_back"

HTTP: Final[dict[Status, int]] = {
    "success": 200,
    "partial_success": 207,
    "error": 422,
}


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What is answered to a push."""

    status: Status
    http: int
    body: dict[str, Any]


def result_of(model: SyncModel, outcome: Outcome, sent_id: Any) -> Result:
    """Say what became of an item; *sent_id* is told again of what was not written."""
    if isinstance(outcome, Refused):
        return refusal_of(outcome, sent_id)
    is_kept = outcome.facts.get("resolution") == "server"
    return {
        **outcome.facts,
        "status": UNCHANGED if is_kept else outcome.did,
        "id": model.wire_id(outcome.key),
        "version": outcome.version,
    }


def refusal_of(refused: Refused, sent_id: Any = None) -> Result:
    """Say why an item was refused."""
    error = {"type": refused.type, "message": refused.message, **refused.facts}
    if refused.field is not None:
        error["field"] = refused.field
    version = refused.facts.get("_version")
    return {
        "status": refused.type,
        "id": sent_id,
        "version": version,
        "error": error,
    }


def is_done(result: Result) -> bool:
    """Tell whether an item had its effect, or needs none."""
    return "error" not in result


def rolled_back(results: Sequence[Result], ids: Sequence[Any]) -> list[Result]:
    """Say of what would have been written that it was not, as others were refused."""
    message = "Other items were refused, and nothing was stored."
    error = {"type": ROLLED_BACK, "message": message}
    undone = {"status": ROLLED_BACK, "version": None, "error": error}
    return [
        {**undone, "id": sent_id} if is_done(each) else each
        for each, sent_id in zip(results, ids, strict=True)
    ]


def answer(
    mode: Mode, results: Sequence[Result], names: Mapping[int, str], seconds: float
) -> PushAnswer:
    """Put an answer together: the keys that are known, and results in order."""
    good = sum(map(is_done, results))
    status = _status(good, len(results))
    body = {
        "status": status,
        "success_count": good,
        "error_count": len(results) - good,
        "success_rate": round(100 * good / len(results), 2),
        "processed_models": _processed(results, names),
        "processing_time": round(seconds, 6),
        "errors": _errors(results, names),
        "results": [{"index": n, **each} for n, each in enumerate(results)],
        "cursor": None,
    }
    return PushAnswer(status, _http(mode, status, results), body)


def _status(good: int, count: int) -> Status:
    if good == count:
        return "success"
    return "partial_success" if good else "error"


def _http(mode: Mode, status: Status, results: Sequence[Result]) -> int:
    is_conflict = any(each["status"] == "conflict" for each in results)
    if mode == "atomic" and status == "error" and is_conflict:
        return 409
    return HTTP[status]


def _processed(
    results: Sequence[Result], names: Mapping[int, str]
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for index, each in enumerate(results):
        if each["status"] in DONE:
            counts = found.setdefault(names[index], dict.fromkeys(DONE, 0))
            counts[each["status"]] += 1
    return found


def _errors(
    results: Sequence[Result], names: Mapping[int, str]
) -> list[dict[str, Any]]:
    return [
        {"index": index, "model": names[index] or None, **each["error"]}
        for index, each in enumerate(results)
        if not is_done(each)
    ]
