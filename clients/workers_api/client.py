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
from errors import First, Help, Remedy, UserError

TOKEN_VARIABLE = "CLOUDFLARE_API_TOKEN"
# The client is used during updates, and one lost answer must not fail an update.
RETRY_SECONDS = 8.0
METHODS = frozenset({"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"})
NO_SCRIPT = frozenset({10007, 10090})
# Missing, malformed, unknown and insufficient credentials, each with a code of its own.
BAD_TOKEN = frozenset({6003, 6111, 9106, 9109, 10000, 10001})


class WorkersApiError(UserError):
    """A refused request or an unreachable API. `codes` are Cloudflare's; empty without an answer."""

    def __init__(
        self,
        problem: str,
        *helps: Help,
        cause: BaseException | str = "",
        codes: frozenset[int] = frozenset(),
        status: int | None = None,
    ) -> None:
        super().__init__(problem, *helps, cause=cause)
        self.codes = codes
        self.status = status
        """The HTTP status of a refusal; None without an answer."""


class Workers:
    """The Workers API of an account. `endpoint` is its prefix (…/client/v4). By default the token is the environment's.

    All requests here are safe to repeat, so transient failures are retried for `patience` seconds.
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
            raise WorkersApiError(f"{TOKEN_VARIABLE} is not set.", Remedy.LOAD_ENVIRONMENT)
        patience = RETRY_SECONDS if patience is None else patience
        try:
            self._api = Api(
                "Cloudflare", endpoint, token, TOKEN_VARIABLE, timeout=timeout, patience=patience,
                repeatable=METHODS, address_key="cloudflare:baseUrl",
            )  # fmt: skip
        except ApiError as error:
            raise _without_answer(error) from None
        self._account = f"/accounts/{quote(account, safe='')}/workers"
        self.scripts = f"{self._account}/scripts"
        """The path of the account's scripts."""

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def bindings(self, script: str) -> dict[str, dict[str, Any]] | None:
        """Return the script's bindings by name, in the API's form (secrets without text); None without a script."""
        try:
            settings = self.request("GET", f"{self._script(script)}/settings")
        except WorkersApiError as error:
            if error.codes & NO_SCRIPT:
                return None
            raise
        return {binding["name"]: binding for binding in settings.get("bindings") or []}

    def modules(self, script: str) -> dict[str, bytes]:
        """Return the script's modules by name; empty if there is no script, or if it has only static files."""
        try:
            return self._fetch_modules(f"{self._script(script)}/content/v2")
        except WorkersApiError as error:
            if error.codes & NO_SCRIPT:
                return {}
            raise

    def migration_tag(self, script: str) -> str | None:
        """Return the tag of the last Durable Object migration; None without one, or without the script."""
        settings = next((each for each in self.listed(self.scripts) if each.get("id") == script), {})
        return settings.get("migration_tag") or None

    def version(self, script: str) -> str | None:
        """Return the id of the version with the most traffic; None if none is deployed. Raises WorkersApiError."""
        deployments = self.request("GET", f"{self._script(script)}/deployments").get("deployments") or [{}]
        shares = {each["version_id"]: float(each["percentage"]) for each in deployments[0].get("versions") or []}
        return max(shares, key=lambda each: shares[each], default=None)

    def leads_to(self, hostname: str) -> str | None:
        """Return the script of a custom domain; None if the account has no such domain."""
        domains = self.domains(f"?hostname={quote(hostname, safe='')}")
        return next((str(each["service"]) for each in domains if each.get("hostname") == hostname), None)

    def domains(self, query: str = "") -> list[dict[str, Any]]:
        """Return the account's custom domains. `service` is a domain's script."""
        return self.listed(f"{self._account}/domains{query}")

    def delete(self, script: str) -> None:
        """Delete the script and everything that belongs to it."""
        try:
            self._result("DELETE", self._script(script), None)
        except WorkersApiError as error:
            if not error.codes & NO_SCRIPT:
                raise

    def put_secrets(self, script: str, texts: Mapping[str, str]) -> None:
        """Set several secrets, without changing others, in one new version that is deployed at once."""
        secrets = {name: {"name": name, "text": text, "type": "secret_text"} for name, text in texts.items()}
        self.request("PATCH", f"{self._script(script)}/secrets-bulk", {"secrets": secrets})

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return the answer's `result`, {} for null. Raises WorkersApiError."""
        result = self._result(method, path, body)
        return dict(result) if isinstance(result, dict) else {}

    def listed(self, path: str) -> list[dict[str, Any]]:
        """Return the first page of the list in the answer's `result`. Raises WorkersApiError."""
        result = self._result("GET", path, None)
        return list(result) if isinstance(result, list) else []

    def _result(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            return self._api.ask(method, path, lambda answer: None if answer is None else answer["result"], body)
        except ApiError as error:
            raise _refusal(error, error.answer, method, path) if error.answer else _without_answer(error) from None

    def _fetch_modules(self, path: str) -> dict[str, bytes]:
        try:
            return self._api.fetch(path, lambda answer: dict(_modules(answer)) if answer.body else {})
        except ApiError as error:
            raise _refusal(error, error.answer, "GET", path) if error.answer else _without_answer(error) from None

    def _script(self, script: str) -> str:
        return f"{self.scripts}/{quote(script, safe='')}"


def _without_answer(error: ApiError) -> WorkersApiError:
    return WorkersApiError(error.problem, *error.helps, cause=error.cause)


def _refusal(error: ApiError, response: Answer, method: str, path: str) -> WorkersApiError:
    errors = _errors(response)
    codes = frozenset(error["code"] for error in errors if isinstance(error.get("code"), int))
    message = "; ".join(str(error.get("message", "")).rstrip(".") for error in errors) or response.reason
    if response.status in (401, 403) or codes & BAD_TOKEN:
        help = First(f"set {TOKEN_VARIABLE} to a token that may edit Workers scripts", Remedy.LOAD_ENVIRONMENT)
        problem = f"Cloudflare refused the token in {TOKEN_VARIABLE}."
        return WorkersApiError(problem, help, cause=message, codes=codes, status=response.status)
    problem = f"Cloudflare refused {method} {path} (status {response.status})."
    return WorkersApiError(problem, *error.helps, cause=message, codes=codes, status=response.status)


def _errors(answer: Answer) -> list[dict[str, Any]]:
    try:
        return [error for error in answer.json().get("errors") or [] if isinstance(error, dict)]
    except (ValueError, AttributeError):
        return []


def _modules(response: Answer) -> Iterator[tuple[str, bytes]]:
    """Yield the modules in an answer: its body, or the parts of a form with the names in their dispositions."""
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
