"""Talks to the server: signs in, refreshes tokens, and tells what was refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from libres.sync.client.errors import Refused, ServerAway, SignInNeeded

if TYPE_CHECKING:
    from libres.sync.client.store import Store

MISSING: Final = "A device needs more than is installed: pip install 'libres[sync]'."

TIMEOUT: Final = 60.0
"""Seconds; a push of thousands of items takes a while."""

ACCESS: Final = "access"
REFRESH: Final = "refresh"
KEY: Final = "key"
"""What the store keeps of who is signed in."""


class Talk:
    """A conversation with a server, on behalf of who is signed in."""

    def __init__(self, url: str, store: Store, transport: Any = None) -> None:
        try:
            import httpx  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ImportError(MISSING) from error
        self._failed = httpx.TransportError
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/sync/",
            transport=transport,
            timeout=TIMEOUT,
        )
        self._store = store

    def close(self) -> None:
        """End it."""
        self._http.close()

    def sign_in(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Sign in by ``username`` and ``password``, or by ``device_key``."""
        answer = self._answer("auth/token/", body, None)
        self._keep(answer)
        with self._store.writing():
            self._store.set(KEY, body.get("device_key"))
        return answer

    def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask as who is signed in, with a fresh token if the old one is over.

        Raises SignInNeeded, Refused, ServerAway.
        """
        access = self._store.get(ACCESS)
        if access is not None:
            try:
                return self._answer(path, body, access)
            except Refused as error:
                if error.status != UNAUTHORIZED:
                    raise
        self._renew()
        try:
            return self._answer(path, body, self._store.get(ACCESS))
        except Refused as error:
            if error.status == UNAUTHORIZED:
                raise SignInNeeded from error
            raise

    def _renew(self) -> None:
        """Get a new token, by the one to refresh it or by the key of the device."""
        refresh, key = self._store.get(REFRESH), self._store.get(KEY)
        for path, body in (
            ("auth/refresh/", {"refresh_token": refresh}),
            ("auth/token/", {"device_key": key}),
        ):
            if any(body.values()):
                try:
                    self._keep(self._answer(path, body, None))
                except Refused as error:
                    if error.status != UNAUTHORIZED:
                        raise
                else:
                    return
        raise SignInNeeded

    def _keep(self, answer: Mapping[str, Any]) -> None:
        with self._store.writing():
            self._store.set(ACCESS, answer["token"])
            self._store.set(REFRESH, answer["refresh_token"])

    def _answer(
        self, path: str, body: Mapping[str, Any], token: str | None
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        sent = json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
        try:
            response = self._http.post(path, content=sent, headers=headers)
            answer = response.json()
        except (self._failed, ValueError) as error:
            raise ServerAway from error
        if response.status_code in STORED:
            found: dict[str, Any] = answer
            return found
        raise _refused(response.status_code, answer)


UNAUTHORIZED: Final = 401

STORED: Final = frozenset({200, 207, 409, 422})
"""Statuses whose answers tell of each item, if they have results."""


def _refused(status: int, answer: Any) -> Refused:
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    retry = error.get("retry_info") or {}
    return Refused(
        str(error.get("message", "The server refused this.")),
        status=status,
        type=error.get("type", "unknown"),
        context=error.get("context") or {},
        retry_after=retry.get("retry_after"),
    )
