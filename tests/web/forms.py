"""Sends forms as a browser does: with cookies, and with the token of the page."""

from __future__ import annotations

import re

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Tab:
    """A browser without scripts, signed in with a key; without one, as nobody."""

    def __init__(self, app, key=None):
        self.http = app.test_client()
        if key is not None:
            found = self.send("/sign-in", key=key)
            assert found.status_code == 303, found.text

    def open(self, path, **query):
        """Load a page, as something that can show pages."""
        return self.http.get(path, query_string=query or None, headers=HEADERS)

    def token(self, path="/sign-in"):
        """Return the token of the forms of a page."""
        return TOKEN.search(self.open(path).text)[1]

    def send(self, path, token=None, **form):
        """Send a form; *token* None: that of a page."""
        body = {"csrf_token": token or self.token(), **form}
        return self.http.post(path, data=body, headers=HEADERS)

    def follow(self, found):
        """Load the page that an answer leads to."""
        assert found.status_code == 303, found.text
        return self.open(found.headers["Location"])


HEADERS = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
"""What a browser would like best."""
