"""Check the clouds' APIs with the stack's tokens: the token, its read permissions, and the API's clock.

Neither API lists a token's scopes, so the checks read everything that an update reads. Only an update shows missing
write permissions.
Shapes: https://docs.digitalocean.com/reference/api/ and https://developers.cloudflare.com/api/.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from cli.doctor.model import Finding, Level, again
from cli.engine.workspace import Stack
from clients.cloud_api import is_token
from clients.http import client, httpx
from settings import ImageSettings, Settings

SECONDS = 4.0
"""The limit for each step of a request. The whole examination has its own limit."""
SOON = timedelta(days=14)
PAGES = {
    "digitalocean": "https://cloud.digitalocean.com/account/api/tokens",
    "cloudflare": "https://dash.cloudflare.com/profile/api-tokens",
}
SCOPES = "app and uptime (create, read, update, delete), app:access_console, registry:read"
PERMISSIONS = "Workers Scripts edit, Workers Routes edit, Account Settings read, DNS edit"
SKEW_WARN, SKEW_FAIL = 30.0, 900.0
"""Seconds. This machine's clock ends an unlocking. A bucket refuses signatures that are 15 minutes off."""


@dataclass(frozen=True)
class Reply:
    """A response, or `trouble` if the API sent none."""

    status: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""

    @property
    def refused(self) -> bool:
        return self.status in (401, 403)

    def part(self, key: str) -> Mapping[str, Any]:
        """Return an object in the body, or an empty one."""
        value = self.body.get(key)
        return value if isinstance(value, dict) else {}


class Api:
    """One cloud's API, with the token in `variable`."""

    def __init__(self, check: str, origin: str, variable: str, token: str, stack: Stack) -> None:
        self.check, self.origin, self.variable, self._token = check, origin, variable, token
        self.stack, self.local = stack.name, stack.on_local_cloud
        self._ahead: float | None = None

    def get(self, path: str) -> Reply:
        if not is_token(self._token):
            return Reply(401)  # not a token, so it cannot be sent
        start = time.time()
        try:
            with client(SECONDS, {"Authorization": f"Bearer {self._token}"}) as http:
                response = http.get(self.origin + path)
        except (httpx.HTTPError, ValueError) as error:
            return Reply(trouble=_why(error))
        ahead = _clock_difference(response, start, time.time())
        self._ahead = self._ahead if ahead is None else ahead
        body = _object(response)
        if body is None and response.is_success:
            kind = response.headers.get("content-type", "").partition(";")[0] or "something"
            return Reply(trouble=f"{kind} came instead of JSON")
        return Reply(response.status_code, body or {})

    def finding(self, reply: Reply, what: str) -> Finding:
        """Return the finding for a response that neither accepts nor refuses the token."""
        if reply.trouble:
            remedy = f"oracle cloud start --stack {self.stack}" if self.local else f"curl -sSI {self.origin}"
            return Finding(self.check, "fail", f"{self.origin} does not answer ({reply.trouble})", remedy)
        return Finding(self.check, "warn", f"{what} was answered with status {reply.status}", again(self.stack))

    def bad_token(self, what: str, level: Level = "fail") -> Finding:
        """Return the finding for a token that has to be replaced."""
        if self.local:
            return Finding(self.check, level, what, f"oracle down {self.stack} && oracle up {self.stack}")
        page = f"Make another token at {PAGES[self.check]} and put it into .envrc"
        return Finding(self.check, level, f"{what}. {page}", "direnv allow")

    def clock(self) -> Iterator[Finding]:
        """Compare this machine's clock with the time of the last response."""
        if self._ahead is None:
            return
        off = abs(self._ahead)
        which = "behind" if self._ahead > 0 else "ahead of"
        if off < SKEW_WARN:
            yield Finding("clock", "ok", f"agrees with {self.check}'s")
        else:
            level: Level = "fail" if off >= SKEW_FAIL else "warn"
            what = f"this machine is {off:.0f} s {which} {self.check}"
            yield Finding("clock", level, what, "sudo timedatectl set-ntp true")


def digitalocean(stack: Stack, settings: Settings, environment: Mapping[str, str], load: str) -> Iterator[Finding]:
    """Check the token, its account and its read permissions."""
    names = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
    name = next((each for each in names if environment.get(each)), "")
    if not name:
        yield _unset("digitalocean", "DIGITALOCEAN_TOKEN", stack, load)
        return
    api = Api("digitalocean", stack.digitalocean, name, environment[name], stack)
    account = api.get("/v2/account")
    if account.trouble:
        yield api.finding(account, "GET /v2/account")
        return
    if account.status == 401:
        yield api.bad_token(f"{name} is refused (revoked, expired or mistyped)")
    else:
        yield _account(account, api)
        yield from _scopes(api, settings)
    yield from api.clock()


def _unset(check: str, name: str, stack: Stack, load: str) -> Finding:
    where = "" if stack.on_local_cloud else "; set it in .envrc"
    return Finding(check, "fail", f"{name} is not set{where}", load)


def _account(reply: Reply, api: Api) -> Finding:
    """Return the finding about the account. A token does not need account:read."""
    if reply.status == 403:
        return Finding(api.check, "ok", f"{api.variable} is accepted (it may not read the account)")
    if reply.status != 200:
        return api.finding(reply, "GET /v2/account")
    account = reply.part("account")
    if (status := account.get("status", "active")) != "active":
        what = f"the account is {status}: {account.get('status_message') or 'no reason is given'}"
        level: Level = "warn" if status == "warning" else "fail"
        return Finding(api.check, level, f"{what}. See https://cloud.digitalocean.com", "doctl account get")
    return Finding(api.check, "ok", f"{api.variable} is accepted, account {account.get('email', '?')}")


def _scopes(api: Api, settings: Settings) -> Iterator[Finding]:
    paths = {"app": "/v2/apps?per_page=1"}
    if settings.monitoring:
        paths["uptime"] = "/v2/uptime/checks?per_page=1"
    if _is_in_docr(settings.backend.image):
        paths["registry"] = "/v2/registry"
    replies = {scope: api.get(path) for scope, path in paths.items()}
    lacking = [scope for scope, reply in replies.items() if reply.refused]
    if lacking:
        yield api.bad_token(f"{api.variable} may not read: {', '.join(lacking)}. It needs {SCOPES}")
    for scope, reply in replies.items():
        if scope == "registry" and reply.status == 404:
            yield Finding(api.check, "fail", "the account has no container registry", "doctl registry create NAME")
        elif not reply.refused and reply.status != 200:
            yield api.finding(reply, f"GET {paths[scope]}")
    if all(reply.status == 200 for reply in replies.values()):
        yield Finding(api.check, "ok", f"it may read: {', '.join(replies)} (what it may write, an update shows)")


def _is_in_docr(image: ImageSettings) -> bool:
    return image.registry_type == "DOCR" and image.host is None and not image.is_packed


def cloudflare(stack: Stack, settings: Settings, environment: Mapping[str, str], load: str) -> Iterator[Finding]:
    """Check the token, its access to the account's scripts, and the zones of the domains."""
    name = "CLOUDFLARE_API_TOKEN"
    if not environment.get(name):
        yield _unset("cloudflare", name, stack, load)
        return
    api = Api("cloudflare", stack.cloudflare, name, environment[name], stack)
    verified = api.get("/user/tokens/verify")
    if verified.status in (400, 401, 403):  # only this endpoint verifies a token that belongs to an account
        verified = api.get(f"/accounts/{settings.account_id}/tokens/verify")
    if verified.trouble or verified.status >= 500 or verified.status == 429:
        yield api.finding(verified, "GET /user/tokens/verify")
    else:
        token = _verified(verified, api)
        yield token
        if token.level != "fail":
            yield from _account_and_zones(api, settings)
    yield from api.clock()


def _verified(reply: Reply, api: Api) -> Finding:
    name = api.variable
    result = reply.part("result")
    if reply.status != 200 or result.get("status") != "active":
        state = result.get("status") or "revoked, expired or mistyped"
        return api.bad_token(f"{name} is refused ({state})")
    if until := _date(result.get("expires_on")):
        left = until - datetime.now(UTC)
        if left < SOON:
            return api.bad_token(f"{name} expires on {until:%Y-%m-%d}", "warn")
        return Finding("cloudflare", "ok", f"{name} is active until {until:%Y-%m-%d}")
    return Finding("cloudflare", "ok", f"{name} is active and does not expire")


def _account_and_zones(api: Api, settings: Settings) -> Iterator[Finding]:
    account = f"the Workers of account {settings.account_id[:6]}…"
    yield _visibility(
        api,
        api.get(f"/accounts/{settings.account_id}/workers/scripts"),
        "GET workers/scripts",
        f"it may read {account}",
        f"{api.variable} may not read {account}; it needs {PERMISSIONS}",
        f"Or set another account with `pulumi config set oracle-net:accountId ID --stack {api.stack}`",
    )
    yield from _workers_url(api, settings)
    domains = [worker.domain for worker in settings.workers.values() if worker.domain]
    for zone in dict.fromkeys(domain.zone_id for domain in domains):
        hosts = ", ".join(domain.hostname for domain in domains if domain.zone_id == zone)
        yield _visibility(
            api,
            api.get(f"/zones/{zone}"),
            f"GET /zones/{zone[:6]}…",
            f"it sees the zone of {hosts}",
            f"{api.variable} does not see the zone {zone[:6]}… of {hosts}",
            f"Or correct its zoneId, which `pulumi config --stack {api.stack}` shows",
        )


def _workers_url(api: Api, settings: Settings) -> Iterator[Finding]:
    """Check that the Workers' addresses are below the account's workers.dev name.

    Yields nothing if the API does not return the name, and nothing for the addresses of a local cloud.
    """
    if api.local or str(urlsplit(settings.workers_url.replace("{script}.", "")).hostname).endswith(".localhost"):
        return
    reply = api.get(f"/accounts/{settings.account_id}/workers/subdomain")
    name = reply.part("result").get("subdomain")
    if reply.status != 200 or not isinstance(name, str):
        return
    expected = f"https://{{script}}.{name}.workers.dev"
    if settings.workers_url == expected:
        yield Finding(api.check, "ok", f"the Workers' addresses end in {name}.workers.dev, as workersUrl says")
    else:
        what = f"workersUrl is {settings.workers_url}, and the account's Workers are at {expected}"
        yield Finding(
            api.check, "fail", what, f"pulumi config set oracle-net:workersUrl '{expected}' --stack {api.stack}"
        )


def _visibility(api: Api, reply: Reply, request: str, visible: str, hidden: str, otherwise: str) -> Finding:
    """Return whether the token can read the requested object. `otherwise` is a fix other than another token."""
    if reply.status == 200:
        return Finding(api.check, "ok", visible)
    if reply.refused or reply.status in (400, 404):
        finding = api.bad_token(hidden)
        return replace(finding, what=f"{finding.what}. {otherwise}")
    return api.finding(reply, request)


def _object(response: httpx.Response) -> Mapping[str, Any] | None:
    """Return the decoded body. None if it is not a JSON object, as all responses of both APIs are."""
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _clock_difference(response: httpx.Response, start: float, end: float) -> float | None:
    """Return the seconds that the API's clock is ahead, measured at the middle of the request.

    The header has whole seconds, so half a second is added.
    """
    try:
        return parsedate_to_datetime(response.headers["date"]).timestamp() + 0.5 - (start + end) / 2
    except (KeyError, ValueError):
        return None


def _why(error: Exception) -> str:
    return f"nothing within {SECONDS:g} s" if isinstance(error, httpx.TimeoutException) else type(error).__name__


def _date(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
