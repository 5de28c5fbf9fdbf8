"""Requests to `/accounts/{account}/workers/scripts`. Shapes as in Cloudflare's API schema,
https://developers.cloudflare.com/api/resources/workers/subresources/scripts/.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from typing import Any
from urllib.parse import quote

from clients.cloud_api import Answer, Api, ApiError

TOKEN_VARIABLE = "CLOUDFLARE_API_TOKEN"
# The client is used in the middle of an update, where one lost answer must not end it.
RETRY_SECONDS = 8.0
METHODS = frozenset({"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"})
NO_SCRIPT = frozenset({10007, 10090})
# Missing, malformed, unknown and insufficient credentials, each with a code of its own.
BAD_TOKEN = frozenset({6003, 6111, 9106, 9109, 10000, 10001})


class WorkersApiError(Exception):
    """A refused request or an API out of reach; one sentence. `codes` are Cloudflare's, empty without an answer."""

    def __init__(self, message: str, codes: frozenset[int] = frozenset(), status: int | None = None) -> None:
        super().__init__(message)
        self.codes = codes
        self.status = status
        """The HTTP status of a refusal; None without an answer."""


class Workers:
    """`endpoint` is the API's whole prefix (…/client/v4), `token` is taken from the environment when it is not given.

    Every request here may be repeated without harm, so what looks transient is tried again for `patience` s.
    """

    def __init__(
        self,
        endpoint: str,
        account: str,
        token: str | None = None,
        timeout: float = 30.0,
        patience: float | None = None,
    ) -> None:
        token = token or os.environ.get(TOKEN_VARIABLE)
        if not token:
            raise WorkersApiError(
                f'{TOKEN_VARIABLE} is not set; load the stack\'s environment: eval "$(oracle env STACK)"'
            )
        patience = RETRY_SECONDS if patience is None else patience
        try:
            self._api = Api(
                "Cloudflare", endpoint, token, TOKEN_VARIABLE, timeout=timeout, patience=patience,
                repeatable=METHODS,
            )  # fmt: skip
        except ApiError as error:
            raise WorkersApiError(str(error)) from None
        self._account = f"/accounts/{quote(account, safe='')}/workers"
        self.scripts = f"{self._account}/scripts"
        """The path of the account's scripts."""

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def bindings(self, script: str) -> dict[str, dict[str, Any]] | None:
        """The script's bindings by name, each as the API shows it (secrets without their text); None without it."""
        try:
            settings = self.request("GET", f"{self._script(script)}/settings")
        except WorkersApiError as error:
            if error.codes & NO_SCRIPT:
                return None
            raise
        return {binding["name"]: binding for binding in settings.get("bindings") or []}

    def modules(self, script: str) -> dict[str, bytes]:
        """The code that runs, by the name of each module; empty without the script, and for one of files alone."""
        try:
            return self._fetched(f"{self._script(script)}/content/v2")
        except WorkersApiError as error:
            if error.codes & NO_SCRIPT:
                return {}
            raise

    def migration_tag(self, script: str) -> str | None:
        """The tag of the last migration of its Durable Objects; None without one, and without the script."""
        found = next((each for each in self.listed(self.scripts) if each.get("id") == script), {})
        return found.get("migration_tag") or None

    def version(self, script: str) -> str | None:
        """The id of the version with the most traffic; None where none serves. Raises WorkersApiError."""
        deployments = self.request("GET", f"{self._script(script)}/deployments").get("deployments") or [{}]
        shares = {each["version_id"]: float(each["percentage"]) for each in deployments[0].get("versions") or []}
        return max(shares, key=lambda each: shares[each], default=None)

    def leads_to(self, hostname: str) -> str | None:
        """The script that a custom domain leads to; None where the account has no such domain."""
        found = self.domains(f"?hostname={quote(hostname, safe='')}")
        return next((str(each["service"]) for each in found if each.get("hostname") == hostname), None)

    def domains(self, query: str = "") -> list[dict[str, Any]]:
        """The account's custom domains, each with its `service`, the script that it leads to."""
        return self.listed(f"{self._account}/domains{query}")

    def delete(self, script: str) -> None:
        """Deletes the script with everything that belongs to it."""
        try:
            self._answered("DELETE", self._script(script), None)
        except WorkersApiError as error:
            if not error.codes & NO_SCRIPT:
                raise

    def put_secrets(self, script: str, texts: Mapping[str, str]) -> None:
        """Sets several secrets at once and leaves the others: one new version that serves at once."""
        secrets = {name: {"name": name, "text": text, "type": "secret_text"} for name, text in texts.items()}
        self.request("PATCH", f"{self._script(script)}/secrets-bulk", {"secrets": secrets})

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer's `result` ({} when it is null). Raises WorkersApiError with the API's own message."""
        found = self._answered(method, path, body)
        return dict(found) if isinstance(found, dict) else {}

    def listed(self, path: str) -> list[dict[str, Any]]:
        """The answer's `result` where it is a list, its first page. Raises WorkersApiError."""
        found = self._answered("GET", path, None)
        return list(found) if isinstance(found, list) else []

    def _answered(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            return self._api.ask(method, path, lambda answer: None if answer is None else answer["result"], body)
        except ApiError as error:
            raise _refusal(error.answer, method, path) if error.answer else WorkersApiError(str(error)) from None

    def _fetched(self, path: str) -> dict[str, bytes]:
        try:
            return self._api.fetch(path, lambda answer: dict(_modules(answer)) if answer.body else {})
        except ApiError as error:
            raise _refusal(error.answer, "GET", path) if error.answer else WorkersApiError(str(error)) from None

    def _script(self, script: str) -> str:
        return f"{self.scripts}/{quote(script, safe='')}"


def _refusal(response: Answer, method: str, path: str) -> WorkersApiError:
    errors = _errors(response)
    codes = frozenset(error["code"] for error in errors if isinstance(error.get("code"), int))
    message = "; ".join(str(error.get("message", "")).rstrip(".") for error in errors) or response.reason
    if response.status in (401, 403) or codes & BAD_TOKEN:
        return WorkersApiError(
            f"Cloudflare refused the token in {TOKEN_VARIABLE} ({message}); "
            "make one that may edit Workers scripts, and put it into the stack's environment: oracle env STACK",
            codes,
            response.status,
        )
    sentence = f"Cloudflare refused {method} {path}: {message} (status {response.status})."
    return WorkersApiError(sentence, codes, response.status)


def _errors(answer: Answer) -> list[dict[str, Any]]:
    try:
        return [error for error in answer.json().get("errors") or [] if isinstance(error, dict)]
    except (ValueError, AttributeError):
        return []


def _modules(response: Answer) -> Iterator[tuple[str, bytes]]:
    """One module as it is, or the parts of a form; the name of a part is in its disposition."""
    kind = response.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        yield response.headers.get("cf-entrypoint") or "worker.js", response.body
        return
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + response.body)
    for part in form.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            name = part.get_param("name", header="content-disposition")
            yield str(part.get_filename() or name or "worker.js"), content
