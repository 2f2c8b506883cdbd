"""Connections to an application itself, which may lose answers."""

from __future__ import annotations

import httpx


class Wire(httpx.BaseTransport):
    """Brings requests to an application; loses what it is told to."""

    def __init__(self, app):
        self._inner = httpx.WSGITransport(app=app)
        self.loses_answers = 0
        """So many of the next answers are lost: the server has done what was asked."""

        self.is_cut = False
        """Requests do not arrive either."""

        self.sent = []
        """The paths of what arrived."""

    def handle_request(self, request):
        """Answer, or not."""
        if self.is_cut:
            message = "cut"
            raise httpx.ConnectError(message)
        response = self._inner.handle_request(request)
        response.read()
        self.sent.append(request.url.path)
        if self.loses_answers:
            self.loses_answers -= 1
            message = "lost"
            raise httpx.ReadError(message)
        return response
